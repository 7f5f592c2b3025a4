import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { terminalLines } from "./lines.ts";

function typing() {
  const input = new PassThrough();
  const output = new PassThrough();
  const lines = terminalLines("> ", { input, output });
  const next = async (keys?: string): Promise<string | undefined> => {
    const line = lines.next();
    if (keys !== undefined) input.write(keys);
    return (await line).value;
  };
  return { next, shown: () => String(output.read() ?? "") };
}

test("of several pasted lines none is lost, and the last is still being typed", async () => {
  const { next, shown } = typing();
  expect(await next("one\rtwo\rthr")).toBe("one");
  shown();
  expect(await next()).toBe("two");
  expect(shown()).toContain("> two\n");
  expect(await next("ee\r")).toBe("three");
});

test("Ctrl-C during an answer takes back the lines after it", async () => {
  const { next } = typing();
  expect(await next("one\rtwo\rthr")).toBe("one");
  process.emit("SIGINT");
  expect(await next("four\r")).toBe("four");
});

test("Ctrl-D ends it, and Ctrl-C at the prompt is an abort", async () => {
  expect(await typing().next("\u0004")).toBe(undefined);
  await expect(typing().next("\u0003")).rejects.toMatchObject({ name: "AbortError" });
});
