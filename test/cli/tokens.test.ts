// Text, tokens, conversations and logits, as programs pipe them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sum } from "./greedy.ts";
import { file, folder, gptOss, json, output } from "./run.ts";

interface Rendered {
  readonly messages: unknown;
  readonly tokens: readonly number[];
  readonly text: string;
}

const rendered = JSON.parse(readFileSync("test/golden/harmony/rendered.json", "utf8")) as Rendered[];

describe("tokenize and detokenize", () => {
  const text = "Straße 🧮 <|end|>\n  x";

  test("print ids that come back as the same text, control tokens never among them", async () => {
    const tokens = await json(["tokenize", text, "--json"]);
    expect(Math.max(...tokens)).toBeLessThan(199_998);
    expect(await output(["detokenize", JSON.stringify(tokens)])).toBe(text);
    expect(await json(["detokenize", "--json"], { stdin: JSON.stringify(tokens) })).toEqual({ text });
  });

  test("read stdin", async () => {
    expect(await json(["tokenize", "--json"], { stdin: text })).toEqual(
      await json(["tokenize", text, "--json"]),
    );
  });

  test("take a checkpoint's own tokenizer", async () => {
    const tokens = await json(["tokenize", "What is 47 + 85?", "--json", "--model", "models/micro"]);
    expect(sum.prompt.join()).toContain(tokens.join());
    expect(await output(["detokenize", file("ids.json", tokens), "--model", "embedded"])).toBe(
      "What is 47 + 85?",
    );
  });

  test("show one token a line, parts of characters as bytes", async () => {
    expect(await output(["tokenize", "hi 🧮"])).toBe('3686\t"hi"\n9552\t20 f0 9f\n100\ta7\n106\tae\n');
  });
});

describe("render and parse", () => {
  test("render gives the official library's tokens and text", async () => {
    for (const [index, { messages, tokens, text }] of rendered.slice(0, 5).entries()) {
      const path = file(`conversation-${index}.json`, { messages });
      expect(await json(["render", path, "--json"])).toEqual({ tokens, text });
    }
  });

  test("render prints the text, reads stdin, and can stop after the last message", async () => {
    const stdin = JSON.stringify({ messages: [{ role: "user", content: "hi" }] });
    expect(await output(["render"], { stdin })).toBe("<|start|>user<|message|>hi<|end|><|start|>assistant");
    expect(await output(["render", "--for", "conversation"], { stdin })).toBe(
      "<|start|>user<|message|>hi<|end|>",
    );
  });

  test("render leaves finished reasoning out when asked", async () => {
    const said = (channel: string) => ({ role: "assistant", channel, content: channel });
    const stdin = JSON.stringify({
      messages: [said("analysis"), said("final"), { role: "user", content: "hi" }],
    });
    expect(await output(["render"], { stdin })).toContain("<|message|>analysis<|end|>");
    expect(await output(["render", "--drop-analysis"], { stdin })).not.toContain("analysis");
  });

  test("parse gives messages in the same form, from a file, inline, and from a pipe after render", async () => {
    const conversation = {
      messages: [
        { role: "user", content: [{ type: "text", text: "hi" }] },
        { role: "assistant", channel: "final", content: [{ type: "text", text: "ho" }] },
      ],
    };
    const path = file("short.json", conversation);
    const piped = await output(["render", path, "--json", "--for", "conversation"]);
    expect(await json(["parse"], { stdin: piped })).toEqual(conversation);
    const { tokens } = JSON.parse(piped);
    expect(await json(["parse", JSON.stringify(tokens)])).toEqual(conversation);
    expect(await json(["parse", file("tokens.json", tokens), "--json"])).toEqual(conversation);
  });

  test("parse takes what a model sampled, whatever it is, and notes what was odd", async () => {
    const sampled = "[200005,35644,200008,25216]"; // <|channel|>analysis<|message|>Hey, then nothing
    const message = { role: "assistant", channel: "analysis", content: [{ type: "text", text: "Hey" }] };
    expect(await json(["parse", sampled])).toEqual({ messages: [message] });
    const { code, stdout, stderr } = await gptOss(["parse", "[200005,200005,1,999999]"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty("messages");
    expect(stderr).toContain("token ");
  });
});

describe("logits", () => {
  const floats = (path: string): Float32Array => new Float32Array(new Uint8Array(readFileSync(path)).buffer);
  const cases = JSON.parse(readFileSync("test/golden/micro/cases.json", "utf8")) as {
    name: string;
    tokens: number[];
  }[];
  const golden = (name: string) => ({
    ids: file(`${name}.json`, cases.find((entry) => entry.name === name)?.tokens),
    logits: floats(`test/golden/micro/${name}.logits.f32`),
    out: join(folder, `${name}.f32`),
  });

  function expectClose(actual: Float32Array, expected: Float32Array): void {
    expect(actual.length).toBe(expected.length);
    const scale = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const error = expected.reduce((max, value, index) => Math.max(max, Math.abs(value - actual[index])), 0);
    // Both are f32 with sums in another order.
    expect(error / scale).toBeLessThan(1e-4);
  }

  test("of every position are the official ones, as little-endian f32", async () => {
    const { ids, logits, out } = golden("short");
    await output(["logits", "--tokens", ids, "--out", out]);
    expectClose(floats(out), logits);
  });

  test("that cannot be computed or written leave no file behind, and the earlier one as it was", async () => {
    const out = file("earlier.f32", "earlier");
    expect((await gptOss(["logits", "--tokens", "[1,99999]", "--out", out])).code).toBe(2);
    expect(readFileSync(out, "utf8")).toBe("earlier");
    expect(readdirSync(folder).filter((name) => name.startsWith("earlier"))).toEqual(["earlier.f32"]);
    const { code, stderr } = await gptOss(["logits", "--tokens", "[1]", "--out", "/nowhere/x.f32"]);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("(cli/cannot-write)"),
    });
  });

  test("of the last position, past the window, in both layouts bit for bit", async () => {
    const { ids, logits, out } = golden("past-window");
    await output(["logits", "--tokens", ids, "--out", out, "--last"]);
    expectClose(floats(out), logits);
    const original = `${out}.original`;
    await output([
      "logits",
      "--tokens",
      ids,
      "--out",
      original,
      "--last",
      "--model",
      "test/golden/micro-original",
    ]);
    expect(readFileSync(original).equals(readFileSync(out))).toBe(true);
  });

  test("with the cache in 8 bits differ as far as that rounds, and no further", async () => {
    const { ids, logits, out } = golden("past-window");
    await output(["logits", "--tokens", ids, "--out", out, "--last", "--cache", "int8"]);
    const scale = logits.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const error = floats(out).reduce((max, value, i) => Math.max(max, Math.abs(value - logits[i])), 0);
    // A key or value is off by at most 1/254 of its head's largest; what attention adds is part of the logits only.
    expect(error / scale).toBeGreaterThan(1e-4);
    expect(error / scale).toBeLessThan(0.05);
  });
});
