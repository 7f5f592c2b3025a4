import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { type Effort, tool, toolResult } from "../../agent/index.ts";
import type { Backend } from "../../backend/index.ts";
import { loadAddon } from "../../backend/native/index.ts";
import { type LoadedGptOss, load, loadEngine } from "./index.ts";

interface Golden {
  readonly effort: Effort;
  readonly question: string;
  readonly prompt: readonly number[];
  readonly greedy: readonly number[];
}

const goldens = JSON.parse(readFileSync("test/golden/micro/greedy.json", "utf8")) as Golden[];

let model: LoadedGptOss;
beforeAll(async () => {
  model = await load();
});
afterAll(() => model.close());

const weather = {
  description: "Gets the current weather in the provided location.",
  parameters: z.object({ location: z.string().describe("The city and state, e.g. San Francisco, CA") }),
};

describe("the embedded model", () => {
  test.each(goldens.filter(({ question }) => !question.includes("weather")))(
    "answers $question at $effort effort as the official code does, from the same prompt",
    async ({ question, effort, prompt, greedy }) => {
      expect(model.prompt(question, { effort }).tokens).toEqual(prompt);
      const answer = await model.respond(question, { effort });
      expect(answer.tokens).toEqual(greedy);
    },
  );

  test("answers 47 + 85 without being told how", async () => {
    const answer = await model.respond("What is 47 + 85?");
    expect(answer).toMatchObject({ text: "47 + 85 = 132.", finishReason: "stop" });
    expect(answer.reasoning).toContain("132");
  });

  test("really calls a function, from the prompt that the official code was given, and uses its result", async () => {
    const asked: string[] = [];
    const get_weather = tool({
      ...weather,
      execute: ({ location }) => {
        asked.push(location);
        return { sky: "sunny", temperature: 21 };
      },
    });
    const golden = goldens.find(({ question }) => question.includes("weather")) as Golden;
    const options = { instructions: "Answer briefly.", tools: { get_weather } };
    expect(model.prompt(golden.question, options).tokens).toEqual(golden.prompt);
    const answer = await model.respond(golden.question, options);
    expect(asked).toEqual(["Paris"]);
    expect(answer.text).toBe("It is sunny in Paris with 21 degrees.");
    expect(answer.tokens.slice(0, golden.greedy.length)).toEqual(golden.greedy);
  });

  test("gives calls without an implementation back, and goes on with their results from its cache", async () => {
    const options = { instructions: "Answer briefly.", tools: { get_weather: tool(weather) } };
    const question = { role: "user", content: "What is the weather in London?" } as const;
    const first = await model.respond([question], options);
    expect(first.finishReason).toBe("tool-calls");
    const results = first.pendingCalls.map((call) => toolResult(call, '{"sky":"rain","temperature":9}'));
    const second = await model.respond([question, ...first.messages, ...results], options);
    expect(second.text).toBe("It is rain in London with 9 degrees.");
    expect(second.usage.cachedTokens).toBeGreaterThan(first.usage.promptTokens - 64);
  });

  test("leaves finished reasoning out of the next prompt", async () => {
    const question = { role: "user", content: "Who are you?" } as const;
    const first = await model.respond([question]);
    const { tokens } = model.prompt([question, ...first.messages, question]);
    expect(first.reasoning).not.toBe("");
    expect(model.tokenizer.decode(tokens)).not.toContain(first.reasoning);
  });
});

describe("a stream", () => {
  test("says the same as the answer", async () => {
    const stream = model.stream("What is 47 + 85?");
    let text = "";
    for await (const event of stream) if (event.type === "text-delta") text += event.text;
    expect(text).toBe((await stream.answer()).text);
  });

  test("left early gives what came until then", async () => {
    const stream = model.stream("What is 47 + 85?");
    for await (const event of stream) if (event.type === "reasoning-delta") break;
    expect(await stream.answer()).toMatchObject({ finishReason: "aborted", text: "" });
  });

  test("ends when its signal aborts", async () => {
    const controller = new AbortController();
    const stream = model.stream("What is 47 + 85?", { signal: controller.signal });
    for await (const event of stream) if (event.type === "reasoning-delta") controller.abort();
    expect(await stream.answer()).toMatchObject({ finishReason: "aborted" });
  });
});

describe("input and options", () => {
  test("text in a system message is an instruction, as in other APIs", () => {
    const { tokens } = model.prompt([
      { role: "system", content: "Answer briefly." },
      { role: "user", content: "Hello" },
    ]);
    const text = model.tokenizer.decode(tokens);
    expect(text).toContain("<|start|>developer<|message|># Instructions\n\nAnswer briefly.<|end|>");
    expect(text).toContain("You are ChatGPT");
  });

  test("text of the assistant without a channel is an answer", () => {
    const { tokens } = model.prompt([
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hi" },
      { role: "user", content: "Bye" },
    ]);
    expect(model.tokenizer.decode(tokens)).toContain(
      "<|start|>assistant<|channel|>final<|message|>Hi<|end|>",
    );
  });

  test.each([
    ["no messages", [], {}, "library/bad-option"],
    ["a role that is none", [{ role: "bot", content: "x" }], {}, "harmony/bad-conversation"],
    ["nothing", undefined, {}, "library/bad-option"],
    ["an effort that is none", "x", { effort: "extreme" }, "library/bad-option"],
    ["a temperature below 0", "x", { temperature: -1 }, "engine/bad-request"],
    ["a prompt longer than the context", "x ".repeat(20_000), {}, "engine/bad-request"],
  ])("%s is refused with a code", async (_, input, options, code) => {
    await expect(model.respond(input as string, options as object)).rejects.toMatchObject({ code });
  });
});

describe("load", () => {
  test("both layouts continue the same tokens in the same way", async () => {
    const { prompt, greedy } = goldens[0];
    const { engine, info, close } = await loadEngine({
      model: "test/golden/micro-original",
      contextTokens: 1024,
    });
    const sampled: number[] = [];
    const request = { tokens: prompt, stopTokens: [2050], sampling: { temperature: 0 } };
    for await (const event of engine.generate(request)) if (event.type === "token") sampled.push(event.token);
    expect(sampled).toEqual(greedy);
    expect(info).toMatchObject({ layout: "original", plan: { contextLength: 1024 } });
    await close();
  });

  test.each([
    ["a folder that is not there", { model: "/nowhere" }, "checkpoint/not-found"],
    ["a checkpoint without a tokenizer", { model: "test/golden/micro-original" }, "library/no-tokenizer"],
    ["a context larger than the model's", { contextTokens: 200_000 }, "library/bad-option"],
    ["a context of nothing", { contextTokens: 0 }, "library/bad-option"],
    ["a backend that is none", { backend: "abacus" }, "library/bad-option"],
  ])("%s is refused with a code", async (_, options, code) => {
    await expect(load(options as object)).rejects.toMatchObject({ code });
  });

  test("can be interrupted", async () => {
    const controller = new AbortController();
    const loading = load({ signal: controller.signal, onProgress: () => controller.abort() });
    await expect(loading).rejects.toMatchObject({ name: "AbortError" });
  });

  test("tells how far it is", async () => {
    const seen: number[] = [];
    const other = await load({
      onProgress: ({ loadedBytes, totalBytes }) => seen.push(loadedBytes / totalBytes),
    });
    await other.close();
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  test("gives a model that is freed by `await using`, and refuses to answer afterwards", async () => {
    const other = await load();
    await other[Symbol.asyncDispose]();
    await expect(other.respond("Who are you?")).rejects.toMatchObject({ code: "engine/closed" });
  });

  test("closed in the middle of an answer, rejects it, and holds nothing any more", async () => {
    const { weights, engine, close } = await loadEngine();
    const { prompt } = goldens[0];
    const sampling = async (): Promise<void> => {
      for await (const event of engine.generate({ tokens: prompt, stopTokens: [] })) {
        if (event.type === "token") void close();
      }
    };
    await expect(sampling()).rejects.toMatchObject({ code: "engine/closed" });
    await close();
    expect(weights.model.backend.usage()).toMatchObject({ tensors: 0, weights: 0, caches: 0 });
  });

  test.each([
    ["are not there", undefined],
    ["are no binary", "not a library"],
    ["were made for another version", "module.exports = { interface: 0 };"],
    ["were made for another processor", elfHeader({ machine: 0xf3 })],
  ])("where native kernels %s, says so once and runs anyway", async (_, content) => {
    const { onFirstBackend } = await import("./backends.ts");
    const { shapes } = await import("../../checkpoint/index.ts");
    const folder = mkdtempSync(join(tmpdir(), "gpt-oss-kernels-"));
    const path = join(
      folder,
      typeof content === "string" && content.startsWith("module") ? "kernels.cjs" : "kernels.node",
    );
    if (content !== undefined) writeFileSync(path, content);
    process.env.GPT_OSS_NATIVE = path;
    try {
      const { made, warning } = await onFirstBackend(
        shapes["gpt-oss-20b"],
        {},
        async (backend) => backend.name,
      );
      expect(made).toBe("reference");
      expect(warning).toContain(path);
      expect(warning?.match(/tried/g)).toHaveLength(1);
      const asked = onFirstBackend(shapes["gpt-oss-20b"], { backend: "native" }, async () => {});
      await expect(asked).rejects.toMatchObject({ code: "backend/unsupported" });
    } finally {
      delete process.env.GPT_OSS_NATIVE;
      rmSync(folder, { recursive: true });
    }
  });

  test("where this processor cannot run the kernels that were asked for, says so once and runs anyway", async () => {
    const { onFirstBackend } = await import("./backends.ts");
    const { shapes } = await import("../../checkpoint/index.ts");
    process.env.GPT_OSS_KERNELS = lackingKernels();
    try {
      const name = async (backend: Backend): Promise<string> => backend.name;
      const { made, warning } = await onFirstBackend(shapes["gpt-oss-20b"], {}, name);
      expect(made).toBe("reference");
      expect(warning?.match(/native: /g)).toHaveLength(1);
    } finally {
      delete process.env.GPT_OSS_KERNELS;
    }
  });
});

/** The beginning of a 64-bit shared library for some machine: what the loader looks at first. */
function elfHeader({ machine }: { readonly machine: number }): Buffer {
  const header = Buffer.alloc(4096);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  return header;
}

/** Kernels that are there but cannot run here; where all can, some that are not there. */
function lackingKernels(): string {
  try {
    return loadAddon().variants.find(({ missing }) => missing !== "")?.name ?? "abacus";
  } catch {
    return "abacus"; // nothing was built
  }
}
