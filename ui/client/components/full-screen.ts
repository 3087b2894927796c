/**
 * Shell: the page in full screen, and back. A browser that refuses leaves the page as it is, and everybody sees that: there is nothing to add.
 */
export const toggleFullScreen = (): void => {
  if (document.fullscreenElement === null) void document.documentElement.requestFullscreen?.().catch(() => undefined);
  else void document.exitFullscreen().catch(() => undefined);
};
