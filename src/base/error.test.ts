import { expect, test } from "vitest";
import { GptOssError, UnsupportedError } from "./error.ts";

test("an error is known by its mark, also when another copy of the package threw it", () => {
  const error = new GptOssError("checkpoint/truncated", { message: "cut off", hint: "copy it again" });
  const fromElsewhere = Object.assign(new Error("cut off"), {
    [Symbol.for("gpt-oss.error")]: true,
    code: "checkpoint/truncated",
  });
  expect(GptOssError.isInstance(error)).toBe(true);
  expect(GptOssError.isInstance(fromElsewhere)).toBe(true);
  for (const other of [new Error("cut off"), { code: "checkpoint/truncated" }, null, "cut off"]) {
    expect(GptOssError.isInstance(other)).toBe(false);
  }
});

test("only what a backend cannot do here lets the next one try", () => {
  expect(UnsupportedError.isInstance(new UnsupportedError({ message: "no AVX2" }))).toBe(true);
  expect(UnsupportedError.isInstance(new GptOssError("backend/bad-shape", { message: "3 x 4" }))).toBe(false);
});

test("what caused an error stays with it", () => {
  const cause = new Error("ENOENT");
  expect(new GptOssError("checkpoint/io", { message: "cannot read", cause }).cause).toBe(cause);
  expect("cause" in new GptOssError("checkpoint/io", { message: "cannot read" })).toBe(false);
});
