// What the command line says of itself, and to wrong input.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { file, folder, gptOss, output } from "./run.ts";

describe("help", () => {
  const commands =
    "chat generate serve tokenize detokenize render parse logits synth convert pull models verify info bench".split(
      " ",
    );

  test("lists every command and the exit codes", async () => {
    const text = await output(["--help"]);
    for (const command of commands) expect(text).toContain(`\n  ${command} `);
    expect(text).toContain("130 interrupted");
  });

  test.each(commands)("of %s says what it takes", async (command) => {
    const text = await output([command, "--help"]);
    expect(text).toContain(`Usage: gpt-oss ${command}`);
    expect(text).toContain("--debug");
  });

  test("the version is the package's", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(await output(["--version"])).toBe(`${version}\n`);
  });
});

describe("errors", () => {
  test.each([
    ["an unknown command", ["tokenise"]],
    ["an unknown option", ["tokenize", "--frob", "x"]],
    ["a value that is no number", ["generate", "--temperature", "warm", "x"]],
    ["a value that is no choice", ["generate", "--effort", "extreme", "x"]],
    ["a missing required option", ["synth", "--out", "x"]],
    ["a layout that there is not", ["convert", "--to", "onnx", "--out", "x"]],
    ["nothing to pull", ["pull"]],
    ["too many arguments", ["tokenize", "a", "b"]],
    ["ids that are none", ["detokenize", "[1,-2]"]],
    ["broken JSON", ["detokenize", "[1,"]],
    ["a file that is not there", ["parse", "/nowhere.json"]],
    ["two inputs", ["generate", "x", "--tokens", "[1]"]],
    ["an empty question", ["chat", " "]],
    ["a temperature below 0", ["generate", "--temperature", "-1", "x"]],
    ["a probability above 1", ["chat", "--top-p", "2", "x"]],
    ["a penalty out of range", ["generate", "--frequency-penalty=-3", "x"]],
    ["an id that no vocabulary has", ["detokenize", "[999999]"]],
    ["ids of another vocabulary", ["logits", "--tokens", "[99999]", "--out", join(folder, "none.f32")]],
    ["ids of another vocabulary to continue", ["generate", "--tokens", "[99999]"]],
  ])("%s is wrong usage: exit code 2, a message, no stack trace", async (_, args) => {
    const { code, stdout, stderr } = await gptOss(args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toContain("    at ");
  });

  test.each([
    ["no model there", ["generate", "x", "--model", "/nowhere"], "checkpoint/not-found"],
    ["nothing there to verify", ["verify", "--model", "/nowhere"], "checkpoint/not-found"],
    ["a name that is near another", ["info", "--model", "gpt-oss-21b"], "checkpoint/unknown-model"],
    ["a damaged model", ["info", "--model", "damaged"], "checkpoint/truncated"],
    ["no tokenizer", ["tokenize", "x", "--model", "test/golden/micro-original"], "library/no-tokenizer"],
    ["a context too large", ["generate", "x", "--context", "9999999"], "library/bad-option"],
    ["no tokens", ["logits", "--tokens", "[]", "--out", join(folder, "none.f32")], "engine/bad-request"],
    ["not a conversation", ["render", "package.json"], "harmony/bad-conversation"],
  ])("%s is a failure: exit code 1, a message with its code, a hint", async (_, args, errorCode) => {
    mkdirSync(join(folder, "damaged"), { recursive: true });
    file("damaged/config.json", "{}");
    file("damaged/model.safetensors", "");
    const { code, stderr } = await gptOss(args.map((arg) => (arg === "damaged" ? join(folder, arg) : arg)));
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^error: .* \\(${errorCode}\\)\n  \\S`));
    expect(stderr).not.toContain("    at ");
  });

  test.each([
    ["--debug", ["--debug"], {}],
    ["GPT_OSS_DEBUG", [], { GPT_OSS_DEBUG: "1" }],
  ])("%s shows where an error comes from", async (_, flags, env) => {
    const { code, stderr } = await gptOss(["info", "--model", "/nowhere", ...flags], { env });
    expect(code).toBe(1);
    expect(stderr).toContain("    at ");
  });

  test("a reader that goes away early is none", async () => {
    const big = file("big.txt", "word ".repeat(200_000));
    const script = `node dist/cli/main.js tokenize < ${big} | head -n 1; echo \${PIPESTATUS[0]}`;
    const child = spawn("bash", ["-c", script]);
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk));
    child.stderr.on("data", (chunk: Buffer) => (text += chunk));
    await new Promise((resolve) => child.on("close", resolve));
    expect(text).toBe('1801\t"word"\n0\n');
  });
});
