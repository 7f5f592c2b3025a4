// `gpt-oss chat` without a terminal: one question, or lines from a pipe.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { file, folder, gptOss, output, spawnGptOss } from "./run.ts";

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
    const child = spawnGptOss(args);
    let stdout = "";
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    child.stdout.once("data", () => child.kill("SIGINT"));
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.stdin.write("What is 47 + 85?\n");
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
