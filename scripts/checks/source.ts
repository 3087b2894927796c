/**
 * TypeScript text for the checks: comments and strings taken out, imports found. Pure; not a parser: it knows just enough of the language for that.
 */

export interface SourceFile {
  /** From the project's folder, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** `import type`, or every name in it marked so. */
  readonly typeOnly: boolean;
  readonly names: readonly string[];
}

/** The text with comments, and what is inside strings, replaced by spaces; code inside template literals stays. */
export const codeOnly = (text: string): string => {
  let out = "";
  let at = 0;
  /** Depths of braces at which a template's `${` ends. */
  const templates: number[] = [];
  let depth = 0;
  const blank = (until: number): void => {
    out += text.slice(at, until).replaceAll(/[^\n]/g, " ");
    at = until;
  };
  const templateText = (): void => {
    let end = at;
    while (end < text.length && text[end] !== "`" && !(text[end] === "$" && text[end + 1] === "{"))
      end += text[end] === "\\" ? 2 : 1;
    blank(Math.min(end, text.length));
    if (text[at] === "`") {
      out += "`";
      at++;
      return;
    }
    if (at >= text.length) return;
    out += "${";
    at += 2;
    templates.push(depth);
    depth++;
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] ?? "";
    if (two === "//") blank(lineEnd(text, at));
    else if (two === "/*") {
      const end = text.indexOf("*/", at + 2);
      blank(end < 0 ? text.length : end + 2);
    } else if (one === '"' || one === "'") {
      let end = at + 1;
      while (end < text.length && text[end] !== one && text[end] !== "\n") end += text[end] === "\\" ? 2 : 1;
      out += one;
      at++;
      blank(Math.min(end, text.length));
      out += text[at] ?? "";
      at++;
    } else if (one === "`") {
      out += one;
      at++;
      templateText();
    } else if (one === "/" && startsRegExp(out)) blank(regExpEnd(text, at));
    else {
      if (one === "{") depth++;
      if (one === "}") {
        depth--;
        if (templates.at(-1) === depth) {
          templates.pop();
          out += one;
          at++;
          templateText();
          continue;
        }
      }
      out += one;
      at++;
    }
  }
  return out;
};

const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
};

/** Whether a slash after this code begins a regular expression: after an operator or a keyword, not after a value. */
const startsRegExp = (before: string): boolean => {
  const last = before.trimEnd();
  if (last === "") return true;
  if (/(^|[^\w$.])(return|typeof|case|in|of|void|delete|throw|new|else|do|await|yield)$/.test(last)) return true;
  return /[(,=:[!&|?{};+\-*%~^<>]$/.test(last);
};

const regExpEnd = (text: string, from: number): number => {
  let inClass = false;
  for (let at = from + 1; at < text.length; at++) {
    const one = text[at];
    if (one === "\n") return at;
    if (one === "\\") at++;
    else if (one === "[") inClass = true;
    else if (one === "]") inClass = false;
    else if (one === "/" && !inClass) {
      at++;
      while (/[a-z]/.test(text[at] ?? "")) at++;
      return at;
    }
  }
  return text.length;
};

const IMPORT =
  /(?:^|[\n;])\s*(?:import|export)\s+(type\s+)?([^"';]*?)\s*from\s*"([^"]+)"|(?:^|[\n;])\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/g;

export const importsOf = (text: string): Import[] => {
  const comments = text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (match) => match.replaceAll(/[^\n]/g, " "))
    .replaceAll(/^\s*\/\/.*$/gm, "");
  return [...comments.matchAll(IMPORT)].map((match) => {
    const [, type, clause = "", from, bare, dynamic] = match;
    const braces = /\{([\s\S]*)\}/.exec(clause)?.[1] ?? "";
    const names = braces
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    const outside = clause
      .replace(/\{[\s\S]*\}/, "")
      .replaceAll(",", "")
      .trim();
    const allTypes = names.length > 0 && outside === "" && names.every((name) => name.startsWith("type "));
    return {
      specifier: from ?? bare ?? dynamic ?? "",
      typeOnly: type !== undefined || allTypes,
      names: names.map((name) => name.replace(/^type /, "")),
    };
  });
};

/** The project's path that a relative import means; undefined for packages. */
export const resolveImport = (from: string, specifier: string): string | undefined => {
  if (!specifier.startsWith(".")) return undefined;
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
};

/** A shell says so in the first words of its header (style 3.1): it may touch clock, timers, files, sockets. */
export const isShell = (text: string): boolean => /^(#![^\n]*\n)?\s*\/\*\*\s*\*?\s*Shell:/.test(text);
