import { expect, test } from "bun:test";
import { NS } from "../../appliance/wire/namespaces.ts";
import { fromDom } from "./dom-xml.ts";

/** As much of the DOM as is read: there is none where the tests run. */
const node = (nodeType: number, nodeValue: string) => ({ nodeType, nodeValue });
const element = (tagName: string, attributes: Record<string, string>, ...childNodes: unknown[]) =>
  ({
    nodeType: 1,
    tagName,
    attributes: Object.entries(attributes).map(([name, value]) => ({ name, value })),
    childNodes,
  }) as unknown as Element;

test("elements, attributes, text and CDATA come over; comments do not", () => {
  const copy = fromDom(
    element(
      "message",
      { xmlns: NS.client, from: "r@muc/a" },
      element("body", {}, node(3, "a < "), node(8, "comment"), node(4, "b & c")),
      element("x", { xmlns: NS.mucUser }, element("status", { code: "104" })),
    ),
  );
  expect(copy.getName()).toBe("message");
  expect(copy.getChildText("body")).toBe("a < b & c");
  expect(copy.getChild("x", NS.mucUser)?.getChild("status")?.attrs["code"]).toBe("104");
  expect(copy.toString()).not.toContain("comment");
});

test("a namespace of its own is not lost, one of the parent is inherited", () => {
  const copy = fromDom(
    element("iq", { xmlns: NS.client }, element("query", { xmlns: NS.discoInfo }, element("feature", { var: "x" }))),
  );
  expect(copy.getNS()).toBe(NS.client);
  expect(copy.getChild("query")?.getChild("feature")?.getNS()).toBe(NS.discoInfo);
});
