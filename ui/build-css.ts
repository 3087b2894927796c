/**
 * Keeps logical properties out of the hands of Bun's CSS lowering. Its targets cannot be chosen (Bun 1.4.5), and for them it turns
 * `inset-inline-start` and the logical corners into `left` and `right` by `:lang()` of a fixed list of languages: `dir="rtl"` alone would
 * change nothing, and the longer selectors would win over what comes after them. Every browser with WebRTC as we need it knows the
 * properties, so they pass under another name: as custom properties, which are never lowered.
 */
const LOGICAL = /(?<=[{;\s])((?:inset|border|margin|padding)-(?:inline|block|start|end)[a-z-]*)(?=\s*:)/g;
const SHIELD = "--shield-";

export const shieldLogical = (css: string): string => css.replaceAll(LOGICAL, `${SHIELD}$1`);
export const restoreLogical = (css: string): string => css.replaceAll(SHIELD, "");
