import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readApiKeys } from "./index.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gpt-oss-keys-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function keysIn(text: string) {
  const path = join(folder, "keys");
  await writeFile(path, text);
  return readApiKeys(path);
}

test("a file of keys gives names, keys and limits", async () => {
  expect(
    await keysIn("# ours\n\nalice: sk-12345678\r\nbatch = sk-abcdefgh requests=60 tokens=100000\n"),
  ).toEqual([
    { name: "alice", key: "sk-12345678" },
    { name: "batch", key: "sk-abcdefgh", requestsPerMinute: 60, tokensPerMinute: 100_000 },
  ]);
});

test("what is wrong in it is said with its line, and without the key", async () => {
  const wrong = [
    "alice sk-12345678",
    "alice: short",
    "alice: sk-12345678 speed=9",
    ": sk-12345678",
    "# nothing",
    "",
  ];
  for (const text of [...wrong, "a: sk-12345678\na: sk-87654321"]) {
    const error = await keysIn(text).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error, text).toMatchObject({ code: "server/bad-keys" });
    expect(error?.message).not.toMatch(/sk-|short/);
  }
  await expect(readApiKeys(join(folder, "absent"))).rejects.toMatchObject({ code: "server/bad-keys" });
});
