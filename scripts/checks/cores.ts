/**
 * Cores reach for nothing (style 3.1): no clock, timer, randomness, file, socket, environment, logger. Whoever does is a shell and says so. Pure.
 */
import { codeOnly, importsOf, isShell, type SourceFile } from "./source.ts";

const AMBIENT: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b/, "Date.now"],
  [/\bnew Date\(\s*\)/, "new Date()"],
  [/\bperformance\.\w+/, "performance"],
  [/\bMath\.random\b/, "Math.random"],
  [/(?<![.\w])(setTimeout|setInterval|setImmediate|queueMicrotask)\s*\(/, "a timer"],
  [/(?<![.\w])process\.\w+/, "process"],
  [/(?<![.\w])Bun\.\w+/, "Bun"],
  [/(?<![.\w#])fetch\s*\(/, "fetch"],
  [/\bcrypto\.(getRandomValues|randomUUID)\b/, "randomness"],
  [/(?<![.\w])console\.\w+/, "console"],
];

/** What of node:crypto is a function of its arguments alone. */
const PURE_CRYPTO = new Set([
  "createHash",
  "createHmac",
  "createCipheriv",
  "createDecipheriv",
  "hkdfSync",
  "pbkdf2Sync",
  "timingSafeEqual",
  "createVerify",
  "createSign",
  "verify",
  "sign",
  "createPublicKey",
  "createPrivateKey",
  "constants",
  "X509Certificate",
  "getCiphers",
  "hash",
]);
const REFUSED_PACKAGES = new Set(["pino", "elysia", "@xmpp/client", "bun"]);

/** One line per reach of a core. */
export const coreFaults = (files: readonly SourceFile[]): string[] =>
  files.flatMap((file) => {
    if (isShell(file.text)) return [];
    const code = codeOnly(file.text);
    const ambient = AMBIENT.flatMap(([pattern, what]) => {
      const match = pattern.exec(code);
      if (match === null) return [];
      const line = code.slice(0, match.index).split("\n").length;
      return [
        `${file.path}:${line}: a core that reaches for ${what}; take it as an argument, or say "Shell:" in the header`,
      ];
    });
    const imports = importsOf(file.text).flatMap(({ specifier, typeOnly, names }) => {
      if (typeOnly) return [];
      const impure =
        specifier === "node:crypto"
          ? names.filter((name) => !PURE_CRYPTO.has(name)).map((name) => `${name} of node:crypto`)
          : [];
      const refused =
        specifier !== "node:crypto" &&
        specifier !== "node:buffer" &&
        (specifier.startsWith("node:") || specifier.startsWith("bun:") || REFUSED_PACKAGES.has(specifier))
          ? [specifier]
          : [];
      return [...impure, ...refused].map((what) => `${file.path}: a core that imports ${what}`);
    });
    return [...ambient, ...imports];
  });
