import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonText } from "./json-text.ts";
import { schemaToTypeScript } from "./schema-text.ts";

// Equality with the official library is in goldens.test.ts; here is what it cannot be asked.

test("a schema that contains itself ends", () => {
  const node: { [key: string]: unknown } = { type: "object" };
  node.properties = { left: node, right: node, list: { type: "array", items: node } };
  expect(schemaToTypeScript(node)).toBe("{\nleft?: any,\nright?: any,\nlist?: any[],\n}");
});

test("a schema nested five hundred times, or shared over and over, ends", () => {
  let deep: object = { type: "string" };
  let shared: object = { type: "string" };
  for (let depth = 0; depth < 500; depth++) {
    deep = { type: "array", items: deep };
    if (depth < 40) shared = { type: "object", properties: { a: shared, b: shared } };
  }
  expect(schemaToTypeScript(deep)).toMatch(/^any(\[\])+$/);
  expect(schemaToTypeScript(shared).length).toBeLessThan(50_000_000);
  expect(jsonText(shared).length).toBeLessThan(1_000_000);
});

test("anything at all has a type", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(typeof schemaToTypeScript(value)).toBe("string");
      expect(typeof schemaToTypeScript({ type: "object", properties: { a: value }, default: value })).toBe(
        "string",
      );
    }),
    { seed: 2, numRuns: 2000 },
  );
});

test.each([
  [0.00001, "0.00001"],
  [0.000001, "1e-6"],
  [-0.000015, "-0.000015"],
  [1e21, "1e21"],
  [1.5e300, "1.5e300"],
  [12345678901, "12345678901"],
  [-2.75, "-2.75"],
  [Number.NaN, "null"],
])("numbers are spelled as the official library spells them: %s", (value, text) => {
  expect(jsonText(value)).toBe(text);
});

test("JSON text is what JSON.stringify writes, wherever numbers are plain", () => {
  const plain = fc
    .jsonValue({ depthSize: "small" })
    .filter((value) => !/\d[.e]|\d{19}/.test(JSON.stringify(value)));
  fc.assert(
    fc.property(plain, (value) => {
      expect(jsonText(value)).toBe(JSON.stringify(value));
    }),
    { seed: 3, numRuns: 500 },
  );
});
