import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ownMark } from "../process-mark.ts";
import { withLock } from "./lock.ts";

const root = mkdtempSync(join(tmpdir(), "gpt-oss-lock-"));
afterAll(() => rmSync(root, { recursive: true }));

describe("a lock", () => {
  test("of a killed process does not keep others out", async () => {
    const lock = join(root, "stale.lock");
    writeFileSync(lock, JSON.stringify({ ...ownMark(), pid: 2 ** 22 + 1 }));
    expect(await withLock(lock, async () => 1)).toBe(1);
    writeFileSync(lock, JSON.stringify({ pid: 1, place: "another-machine" }));
    utimesSync(lock, new Date(0), new Date(0));
    expect(await withLock(lock, async () => 2)).toBe(2);
    expect(existsSync(lock)).toBe(false);
  });

  test("that is half written, or held, can be given up on", async () => {
    const elsewhere = { pid: 2 ** 22 + 1, place: `${ownMark().place}1` }; // a container that has our name
    for (const text of [JSON.stringify(ownMark()), JSON.stringify(elsewhere), '{"pid":']) {
      const lock = join(root, "held.lock");
      writeFileSync(lock, text);
      await expect(withLock(lock, async () => 1, { signal: AbortSignal.timeout(50) })).rejects.toThrow(
        /timeout/i,
      );
      expect(existsSync(lock)).toBe(true);
    }
  });
});
