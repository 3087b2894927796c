/**
 * Shell: the page in full screen, and back.
 */
export const toggleFullScreen = (): void => {
  if (document.fullscreenElement === null) void document.documentElement.requestFullscreen?.().catch(() => undefined);
  else void document.exitFullscreen().catch(() => undefined);
};
