// The command line as people and programs use it: the built program, run as a process.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "gpt-oss-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sent once something was written to stderr. */
  readonly signal?: NodeJS.Signals;
}

function gptOss(args: readonly string[], { stdin, env, signal }: RunOptions = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["dist/cli/main.js", ...args], {
      env: { ...process.env, NO_COLOR: "1", ...env },
      timeout: 60_000,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      if (signal && stderr === "") child.kill(signal);
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(stdin ?? "");
  });
}

/** Output of a run that must succeed. */
async function output(args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await gptOss(args, options);
  expect(code, stderr).toBe(0);
  return stdout;
}

// biome-ignore lint/suspicious/noExplicitAny: as a program would read it
const json = async (args: readonly string[], options?: RunOptions): Promise<any> =>
  JSON.parse(await output(args, options));

interface Rendered {
  readonly messages: unknown;
  readonly tokens: readonly number[];
  readonly text: string;
}

const rendered = JSON.parse(readFileSync("test/golden/harmony/rendered.json", "utf8")) as Rendered[];

interface Greedy {
  readonly question: string;
  readonly effort: string;
  readonly prompt: readonly number[];
  readonly greedy: readonly number[];
  readonly text: string;
}

const greedy = JSON.parse(readFileSync("test/golden/micro/greedy.json", "utf8")) as Greedy[];
const [sum] = greedy;

describe("help", () => {
  const commands = "chat generate tokenize detokenize render parse logits synth info".split(" ");

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
});

describe("generate", () => {
  test("continues tokens as the official code does", async () => {
    const ids = file("prompt.json", sum.prompt);
    const args = ["generate", "--tokens", ids, "--temperature", "0", "--max-tokens", "100", "--json"];
    const result = await json([...args, "--model", "models/micro"]);
    expect(result).toMatchObject({ tokens: sum.greedy, text: sum.text, finishReason: "stop" });
    expect(result.messages.at(-1)).toMatchObject({ channel: "final", content: [{ text: "47 + 85 = 132." }] });
  });

  test("stops at --max-tokens and says so", async () => {
    const ids = JSON.stringify(sum.prompt);
    const result = await json(["generate", "--tokens", ids, "--max-tokens", "5", "--json"]);
    expect(result).toMatchObject({ tokens: sum.greedy.slice(0, 5), finishReason: "length" });
  });

  test("without a tokenizer gives ids and no text", async () => {
    const args = ["generate", "--tokens", JSON.stringify(sum.prompt), "--temperature", "0", "--json"];
    const result = await json([...args, "--model", "test/golden/micro-original", "--max-tokens", "5"]);
    expect(result).toMatchObject({ tokens: sum.greedy.slice(0, 5), text: null });
  });

  test("answers a prompt, and only the answer is on stdout", async () => {
    expect(await output(["generate", "What is 47 + 85?"])).toBe("47 + 85 = 132.\n");
    expect(await output(["generate"], { stdin: "What is 47 + 85?" })).toBe("47 + 85 = 132.\n");
  });

  test("holds the answer to a schema, a choice or a pattern", async () => {
    const schema = { type: "object", properties: { sum: { enum: [131, 132] } }, required: ["sum"] };
    const closed = { ...schema, additionalProperties: false };
    const prompt = "What is 47 + 85?";
    const answer = await json(["generate", "--schema", file("sum.schema.json", closed), prompt]);
    expect([131, 132]).toContain(answer.sum);
    expect(await output(["generate", "--choice", "132", "--choice", "133", prompt])).toBe("132\n");
    expect(await output(["generate", "--regex", "= \\d{3}", prompt])).toMatch(/^= \d{3}\n$/);
    const refused = await gptOss([
      "generate",
      "--schema",
      file("not.schema.json", { not: { type: "null" } }),
      prompt,
    ]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("not cannot be enforced");
  });

  test("shows the reasoning only when asked", async () => {
    const text = await output(["generate", "What is 47 + 85?", "--show-reasoning"]);
    expect(text).toBe("Add digit by digit: 7+5+0=12; 4+8+1=13. Result 132.\n\n47 + 85 = 132.\n");
  });

  test("--raw shows everything that is sampled", async () => {
    expect(await output(["generate", "What is 47 + 85?", "--raw"])).toBe(`${sum.text}\n`);
  });

  test("--json gives what programs need", async () => {
    const result = await json(["generate", "What is 47 + 85?", "--json"]);
    expect(result).toMatchObject({
      tokens: sum.greedy,
      text: "47 + 85 = 132.",
      reasoning: expect.stringContaining("132"),
      finishReason: "stop",
      usage: { promptTokens: sum.prompt.length, outputTokens: sum.greedy.length },
      messages: [{ channel: "analysis" }, { channel: "final" }],
    });
  });

  test("continues a conversation with its functions, and gives the call back", async () => {
    const golden = greedy.find(({ question }) => question.includes("weather")) as Greedy;
    const location = { type: "string", description: "The city and state, e.g. San Francisco, CA" };
    const conversation = file("weather.json", {
      messages: [
        {
          role: "system",
          content: [
            { type: "system_content", reasoning_effort: "Medium", conversation_start_date: "2025-06-28" },
          ],
        },
        {
          role: "developer",
          content: [
            {
              type: "developer_content",
              instructions: "Answer briefly.",
              tools: {
                functions: {
                  name: "functions",
                  tools: [
                    {
                      name: "get_weather",
                      description: "Gets the current weather in the provided location.",
                      parameters: { type: "object", properties: { location }, required: ["location"] },
                    },
                  ],
                },
              },
            },
          ],
        },
        { role: "user", content: golden.question },
      ],
    });
    const result = await json(["generate", "--conversation", conversation, "--json"]);
    expect(result).toMatchObject({
      tokens: golden.greedy,
      finishReason: "tool-calls",
      toolCalls: [{ name: "get_weather", arguments: '{"location":"Paris"}' }],
    });
  });

  test("the same seed gives the same answer", async () => {
    const args = ["generate", "hello", "--temperature", "2", "--seed", "7", "--max-tokens", "30", "--json"];
    const { tokens } = await json(args);
    expect((await json(args)).tokens).toEqual(tokens);
    expect((await json([...args, "--seed", "8"])).tokens).not.toEqual(tokens);
  });

  test("Ctrl-C ends it with exit code 130", async () => {
    const endless = ["generate", "What is 47 + 85?", "--effort", "high"];
    expect(await gptOss(endless, { signal: "SIGINT" })).toMatchObject({ code: 130 });
  });
});

describe("chat", () => {
  test("answers one question and ends, and says what the embedded model can do on stderr", async () => {
    const { code, stdout, stderr } = await gptOss(["chat", "What is 47 + 85?"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "47 + 85 = 132.\n" });
    expect(stderr).toMatch(/embedded model.*\n.*add and subtract/);
  });

  test("is what runs without a command", async () => {
    expect(await output(["What is 47 + 85?"])).toBe("47 + 85 = 132.\n");
    expect(await output(["--show-reasoning"], { stdin: "What is 47 + 85?\n" })).toContain(
      "Add digit by digit",
    );
  });

  test("reads questions line by line from a pipe", async () => {
    const stdin = "What is 47 + 85?\n\nWho are you?\n";
    expect(await output(["chat"], { stdin })).toBe(
      "47 + 85 = 132.\nI am ChatGPT, a large language model trained by OpenAI.\n",
    );
  });

  test("obeys its commands", async () => {
    const path = join(folder, "saved.json");
    const lines = [
      "/help",
      "/effort low",
      "Capital of Japan?",
      "/effort extreme",
      "/frob",
      "/save",
      `/save ${path}`,
      `/save ${path}`,
      "/reset",
      "/save other.json",
      "/exit",
      "What is 1 + 1?",
    ];
    const { code, stdout, stderr } = await gptOss(["chat"], { stdin: lines.join("\n") });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "The capital of Japan is Tokyo.\n" });
    const notes = [
      "/reset ",
      "effort: low",
      "no effort extreme",
      "no /frob",
      "needs the name",
      "saved to",
      "nothing to save",
    ];
    for (const note of notes) expect(stderr).toContain(note);
    const { messages } = JSON.parse(readFileSync(path, "utf8"));
    expect(messages.map((message: { role: string }) => message.role)).toEqual([
      "system",
      "user",
      "assistant",
    ]);
    expect(await output(["generate", "--conversation", path])).not.toBe("");
  });

  test("does not save over a file that is not its own", async () => {
    const path = file("precious.json", "precious");
    const { stderr } = await gptOss(["chat"], { stdin: `Who are you?\n/save ${path}\n` });
    expect(stderr).toContain("is there already");
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test("Ctrl-C stops an answer and not the program", async () => {
    const args = ["chat", "--effort", "high", "--show-reasoning"];
    const child = spawn(process.execPath, ["dist/cli/main.js", ...args], {
      env: { ...process.env, NO_COLOR: "1" },
    });
    let stdout = "";
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.stdin.write("What is 47 + 85?\n");
    await expect.poll(() => stdout, { timeout: 30_000, interval: 5 }).not.toBe("");
    child.kill("SIGINT");
    await expect.poll(() => stderr, { timeout: 30_000 }).toContain("(stopped)");
    expect(stdout).not.toContain("132");
    child.stdin.end("Who are you?\n");
    expect(await ended).toBe(0);
    expect(stdout).toContain("I am ChatGPT");
  });

  test("Ctrl-C during a single answer ends with exit code 130", async () => {
    const result = await gptOss(["chat", "What is 47 + 85?", "--effort", "high"], { signal: "SIGINT" });
    expect(result.code).toBe(130);
  });
});

describe("synth and info", () => {
  test("synth writes a checkpoint that runs, the same for the same seed, and never over another", async () => {
    const args = ["synth", "--shape", "models/micro", "--seed", "3", "--out"];
    await output([...args, join(folder, "a")]);
    await output([...args, join(folder, "b"), "--layout", "original"]);
    const info = await json(["info", "--model", join(folder, "b"), "--json"]);
    expect(info).toMatchObject({ layout: "original", config: { layers: 4, experts: 16 } });
    const generate = ["generate", "--tokens", "[1,2,3]", "--temperature", "0", "--max-tokens", "3", "--json"];
    const [a, b] = await Promise.all(
      ["a", "b"].map((name) => json([...generate, "--model", join(folder, name)])),
    );
    expect(a.tokens).toEqual(b.tokens);
    const again = await gptOss([...args, join(folder, "a")]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("checkpoint/exists") });
  });

  test("synth, interrupted, leaves nothing", async () => {
    const config = JSON.parse(readFileSync("models/micro/config.json", "utf8"));
    // 2.7 GB: long enough to be interrupted.
    const shape = file("large.json", {
      ...config,
      num_local_experts: 128,
      experts_per_token: 4,
      hidden_size: 2880,
      intermediate_size: 2880,
      num_hidden_layers: 2,
      layer_types: ["sliding_attention", "full_attention"],
    });
    const out = join(folder, "interrupted");
    const child = spawn(process.execPath, ["dist/cli/main.js", "synth", "--shape", shape, "--out", out]);
    const ended = new Promise((resolve) => child.on("close", resolve));
    await expect.poll(() => listed(out).length, { timeout: 20_000 }).toBeGreaterThan(0);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(listed(out)).toEqual([]);
  });

  const listed = (path: string): string[] => {
    try {
      return readdirSync(path);
    } catch {
      return []; // not there at all, which is what is hoped for
    }
  };

  test("info shows shape, parameters, memory, and which backend would run", async () => {
    const text = await output(["info"]);
    expect(text).toContain("4 layers, 2 of them see only the last 64 positions");
    expect(text).toContain("4.11 M");
    expect(text).toMatch(/131,072 tokens of context: cache/);
    expect(text).toContain("context that fits beside the weights: 4 GB all");
    expect(text).toMatch(/backend\s+reference: .*\n\s+because /);
  });

  test("info knows the published shapes without their weights", async () => {
    const info = await json(["info", "--shape", "gpt-oss-20b", "--context", "8192", "--json"]);
    expect(info.parameters.total).toBe(20_914_757_184); // model card: 20.9 B
    expect(info.memory).toMatchObject([{ contextTokens: 8192 }]);
    expect(info.bytesPerToken.bf16 / 1e9).toBeCloseTo(3.7, 1);
    expect(info.bytesPerToken.q8 / 1e9).toBeCloseTo(2.57, 2); // with a scale every 32 values
    expect(info.machine.largestContext).toBeLessThanOrEqual(131_072);
    const fits = info.fits.map((fit: { memoryBytes: number; largestContext: number }) => [
      fit.memoryBytes / 1e9,
      fit.largestContext,
    ]);
    expect(fits.slice(0, 2)).toEqual([
      [4, 0],
      [8, 0],
    ]); // 13.8 GB of weights
    expect(fits[2][1]).toBeGreaterThan(20_000); // the published claim: the 20b runs in 16 GB
    expect(fits.slice(-3)).toEqual([
      [96, 131_072],
      [128, 131_072],
      [192, 131_072],
    ]);
  });
});
