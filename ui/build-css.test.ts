import { expect, test } from "bun:test";
import { restoreLogical, shieldLogical } from "./build-css.ts";

test("logical properties are shielded, other names and values are not", () => {
  const css =
    ".a{inset-inline-start:1px;border-start-end-radius: 3px}\n.b {\n  padding-block: 0;\n  inline-size: 2px;\n  transition: inset-inline-start 1s;\n}";
  const shielded = shieldLogical(css);
  expect(shielded).toContain("{--shield-inset-inline-start:1px;--shield-border-start-end-radius: 3px}");
  expect(shielded).toContain("--shield-padding-block: 0");
  expect(shielded).toContain("transition: inset-inline-start 1s");
  expect(restoreLogical(shielded)).toBe(css);
});
