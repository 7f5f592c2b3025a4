import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { removeStalePartials } from "./stale-partials.ts";

const blobs = mkdtempSync(join(tmpdir(), "gpt-oss-stale-"));
afterAll(() => rmSync(blobs, { recursive: true }));

test("beginnings that nobody continued are removed; others, other tools' and whole files are not", async () => {
  const [dayAgo, monthAgo] = [1, 30].map((days) => new Date(Date.now() - days * 86_400_000));
  const files: readonly (readonly [name: string, changed: Date])[] = [
    ["forgotten.gpt-oss.incomplete", monthAgo],
    ["begun-yesterday.gpt-oss.incomplete", dayAgo],
    ["wanted.gpt-oss.incomplete", monthAgo],
    ["of-python.incomplete", monthAgo],
    ["whole", monthAgo],
  ];
  for (const [name, changed] of files) {
    writeFileSync(join(blobs, name), "12345");
    utimesSync(join(blobs, name), changed, changed);
  }
  expect(await removeStalePartials(blobs, new Set(["wanted"]))).toBe(5);
  const left = files.map(([name]) => name).filter((name) => !name.startsWith("forgotten"));
  expect(readdirSync(blobs).sort()).toEqual(left.sort());
  expect(await removeStalePartials(join(blobs, "nowhere"), new Set())).toBe(0);
});
