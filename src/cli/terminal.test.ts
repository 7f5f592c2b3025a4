import { expect, test } from "vitest";
import { formatBytes, formatSeconds, visible } from "./terminal.ts";

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [999_499, "999 kB"],
  [999_999, "1.00 MB"],
  [12_800_000_000, "12.8 GB"],
  [5e15, "5.00e+3 TB"],
])("%d bytes read as %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0.2, "1 s"],
  [61, "1 min 1 s"],
  [7260, "2 h 1 min"],
  [Number.POSITIVE_INFINITY, "?"],
])("%d seconds read as %s", (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

test("what a model writes cannot steer a terminal, and reaches programs unchanged", () => {
  const text = "a\u001b[2J\tb\r\u009bc\né🧮";
  expect(visible(text, { isTTY: true } as NodeJS.WriteStream)).toBe("a\ufffd[2J\tb\ufffd\ufffdc\né🧮");
  expect(visible(text, { isTTY: false } as NodeJS.WriteStream)).toBe(text);
});
