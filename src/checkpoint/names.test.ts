import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chooseModel,
  describeNames,
  formatHubName,
  formatOllamaName,
  type ModelName,
  nearNames,
  parseModelName,
} from "./names.ts";

const ollama = {
  kind: "ollama",
  host: "registry.ollama.ai",
  namespace: "library",
  model: "gpt-oss",
  tag: "20b",
} as const;

describe("a name is understood as people write it:", () => {
  const names: readonly [string, ModelName | undefined][] = [
    ["embedded", { kind: "embedded" }],
    ["20b", { kind: "short", name: "20b" }],
    ["gpt-oss:20b", { kind: "short", name: "gpt-oss:20b" }],
    ["openai/gpt-oss-20b", { kind: "hub", repository: "openai/gpt-oss-20b" }],
    ["openai/gpt-oss-20b@main", { kind: "hub", repository: "openai/gpt-oss-20b", revision: "main" }],
    ["a/b@refs/pr/3", { kind: "hub", repository: "a/b", revision: "refs/pr/3" }],
    ["ollama:gpt-oss:20b", ollama],
    ["ollama:gpt-oss", { ...ollama, tag: "latest" }],
    ["ollama:me/tuned:v1", { ...ollama, namespace: "me", model: "tuned", tag: "v1" }],
    [
      "ollama:hub.example:8080/me/tuned:v1",
      { kind: "ollama", host: "hub.example:8080", namespace: "me", model: "tuned", tag: "v1" },
    ],
    ["./openai/gpt-oss-20b", { kind: "path", path: "./openai/gpt-oss-20b" }],
    ["/models/x", { kind: "path", path: "/models/x" }],
    ["~/models", { kind: "path", path: "~/models" }],
    ["C:\\models", { kind: "path", path: "C:\\models" }],
    ["me/model.gguf", { kind: "path", path: "me/model.gguf" }],
    ["a/b/c", { kind: "path", path: "a/b/c" }],
    ["", undefined],
    ["ollama:", undefined],
    ["ollama:../../etc/passwd", undefined],
    ["ollama:a/../b:c", undefined],
    ["a/b@../../x", { kind: "path", path: "a/b@../../x" }],
    ["a/b..c", undefined],
    ["a--x/b", undefined],
  ];
  for (const [text, expected] of names)
    test(JSON.stringify(text), () => expect(parseModelName(text)).toEqual(expected));
});

test("what a name becomes on the disk leads nowhere else, whatever the name", () => {
  const parts = fc.array(
    fc.constantFrom("a", "..", ".", "/", ":", "@", "-", "--", "ollama:", "\\", "\0", "~"),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(parts, (words) => {
      const name = parseModelName(words.join(""));
      if (name?.kind === "hub") {
        expect(name.repository).toMatch(/^[^/.][^/]*\/[^/.][^/]*$/);
        expect(`${name.repository}/${name.revision}`).not.toMatch(/\.\.|\0|\\/);
      }
      if (name?.kind === "ollama")
        for (const part of [name.host, name.namespace, name.model, name.tag])
          expect(part).not.toMatch(/^\.|\/|\\|\0/);
    }),
    { seed: 5, numRuns: 3000 },
  );
});

test("names are written back as short as they can be given", () => {
  for (const text of ["ollama:gpt-oss:20b", "ollama:me/x:y", "ollama:host.example/me/x:y"]) {
    const name = parseModelName(text);
    expect(name?.kind === "ollama" && formatOllamaName(name)).toBe(text);
  }
  for (const text of ["a/b", "a/b@v1"]) {
    const name = parseModelName(text);
    expect(name?.kind === "hub" && formatHubName(name)).toBe(text);
  }
});

describe("a short name means", () => {
  const both = ["openai/gpt-oss-20b", "ollama:gpt-oss:20b", "me/tuned", "you/tuned", "me/only"];
  test("the published model, Hugging Face's before Ollama's", () => {
    for (const name of ["20b", "gpt-oss-20b", "GPT-OSS-20B", "gpt-oss:20b"])
      expect(chooseModel(name, both)).toEqual({ kind: "found", name: "openai/gpt-oss-20b" });
    expect(chooseModel("20b", ["ollama:gpt-oss:20b"])).toEqual({ kind: "found", name: "ollama:gpt-oss:20b" });
  });
  test("nobody else's copy of a published model", () => {
    expect(chooseModel("20b", ["someone/gpt-oss-20b"])).toEqual({
      kind: "absent",
      repository: "openai/gpt-oss-20b",
    });
  });
  test("a model here whose name ends so, if it is the only one", () => {
    expect(chooseModel("only", both)).toEqual({ kind: "found", name: "me/only" });
    expect(chooseModel("tuned", both)).toEqual({ kind: "ambiguous", names: ["me/tuned", "you/tuned"] });
    expect(chooseModel("nothing", both)).toEqual({ kind: "unknown" });
  });
});

test("a mistyped name is answered with what is near and what is here", () => {
  expect(nearNames("gpt-os-20b", [])[0]).toBe("gpt-oss-20b");
  expect(nearNames("gpt-oss-12b", [])).toContain("gpt-oss-120b");
  expect(nearNames("openai/gpt-oss-20", [])).toContain("gpt-oss-20b");
  expect(nearNames("mytune", ["me/my-tune"])).toEqual(["me/my-tune"]);
  expect(nearNames("llama", [])).toEqual([]);
  expect(describeNames("gpt-oss-2b", ["embedded"])).toBe(
    "near: gpt-oss-20b, gpt-oss-120b; on this machine: embedded",
  );
  expect(
    describeNames(
      "x",
      Array.from({ length: 9 }, (_, i) => `m/${i}`),
    ),
  ).toMatch(/m\/5, …$/);
});
