// Every example runs, on the embedded model, and prints what its reader would expect.

import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

const expected: Readonly<Record<string, string>> = {
  "ai-sdk.js": "(asked for Paris)\nIt is sunny in Paris with 21 degrees.\n2 steps\n{ city: ",
  "conversation.js": "What is 3 + 4? 3 + 4 = 7.\nWho are you? I am ChatGPT",
  "engine.js": "<|channel|>final<|message|>47 + 85 = 132.<|return|>\nstop",
  "harmony.js": "{ role: 'assistant', channel: 'analysis', content: 'Nothing to do.' }",
  "pending-tools.js": 'get_weather {"location":"London"}\nIt is rain in London with 9 degrees.',
  "respond.js": "47 + 85 = 132.\nbecause: Add digit by digit",
  "server.js": "47 + 85 = 132.\nbecause: Add digit by digit",
  "stream.js": "The capital of France is Paris.\n",
  "structured-output.js": " boolean\nstop\n",
  "tokenizer.js": '106 "🧮"',
  "tools.js": "(asked for Paris)\nIt is sunny in Paris with 21 degrees.",
};

test("each example is tested here", () => {
  const examples = readdirSync("examples").filter((name) => name.endsWith(".js"));
  expect(examples.sort()).toEqual(Object.keys(expected).sort());
});

test.each(Object.entries(expected))("examples/%s", async (name, output) => {
  const { stdout } = await run(process.execPath, [`examples/${name}`], { timeout: 60_000 });
  expect(stdout).toContain(output);
});
