// The floors of docs/architecture.md as a test: a room imports only from lower floors and only through the other
// room's index.ts; there are no circles; `node:` modules appear only where this list allows, so that everything else
// can run in a browser.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

const floors: readonly (readonly string[])[] = [
  ["base"],
  ["tokenizer", "checkpoint", "backend"],
  ["harmony", "model"],
  ["engine", "tools", "tasks"],
  ["agent", "train"],
  ["library", "server", "ai-sdk", "evals"],
  ["cli"],
];

/** Folders and files of `src` that may import `node:` modules. */
const nodeAllowed = [
  "checkpoint/node/",
  "backend/native/",
  "engine/node/",
  "library/node/",
  "server/node/",
  "cli/",
];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

const files = sourceFiles(src);
const isTest = (path: string): boolean => path.endsWith(".test.ts") || path.includes("/testing/");

const imports: readonly Import[] = files.flatMap((file) => {
  const text = readFileSync(file, "utf8");
  const pattern =
    /^\s*(import|export)\s+(type\s+)?[^;]*?from\s+"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    from: relative(src, file),
    to: match[3] ?? match[4] ?? match[5],
    isType: match[2] !== undefined,
  }));
});

const inProduct = imports.filter((entry) => !isTest(join(src, entry.from)));
const relativeImports = inProduct
  .filter((entry) => entry.to.startsWith("."))
  .map((entry) => ({ ...entry, to: relative(src, resolve(src, dirname(entry.from), entry.to)) }));

const room = (path: string): string => path.split("/")[0];
const floorOf = (name: string): number => floors.findIndex((rooms) => rooms.includes(name));

test("every folder of src is a room on a floor", () => {
  const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(rooms.map((entry) => entry.name).filter((name) => floorOf(name) < 0)).toEqual([]);
});

test("a room imports from lower floors only", () => {
  const upward = relativeImports.filter(({ from, to }) => {
    if (!from.includes("/") || room(from) === room(to)) return false; // src/index.ts stands above all rooms
    return floorOf(room(to)) >= floorOf(room(from));
  });
  expect(upward).toEqual([]);
});

test("a room is entered through its index.ts", () => {
  const doors = /^[a-z-]+\/(node\/|native\/|reference\/)?index\.ts$/;
  const throughWalls = relativeImports.filter(({ from, to }) => room(from) !== room(to) && !doors.test(to));
  expect(throughWalls).toEqual([]);
});

test("no circular imports, types apart", () => {
  const graph = new Map<string, string[]>();
  for (const { from, to, isType } of relativeImports) {
    if (!isType) graph.set(from, [...(graph.get(from) ?? []), to]);
  }
  const circles: string[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      return;
    }
    state.set(file, "open");
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, "done");
  };
  for (const file of graph.keys()) visit(file, []);
  expect(circles).toEqual([]);
});

test("node: modules stay where they are allowed", () => {
  const strays = inProduct.filter(
    ({ from, to }) => to.startsWith("node:") && !nodeAllowed.some((place) => from.startsWith(place)),
  );
  expect(strays).toEqual([]);
});

test("globals of Node stay where its modules are", () => {
  const strays = files
    .map((file) => ({
      name: relative(src, file),
      code: readFileSync(file, "utf8").replace(/^\s*(\/\/|\*).*$/gm, ""),
    }))
    .filter(({ name }) => !isTest(join(src, name)) && !nodeAllowed.some((place) => name.startsWith(place)))
    .filter(({ code }) => /(?<![.\w])(Buffer\.|process\.|require\(|__dirname)/.test(code));
  expect(strays.map(({ name }) => name)).toEqual([]);
});

test("files stay small enough to read in one sitting", () => {
  const tooLong = files
    .filter((file) => !isTest(file))
    .map((file) => ({ file: relative(src, file), lines: readFileSync(file, "utf8").split("\n").length }))
    .filter(({ lines }) => lines > 400);
  expect(tooLong).toEqual([]);
});
