// `gpt-oss serve` as somebody starts it: what it says, what it answers, and how it ends.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "gpt-oss-serve-"));
afterAll(() => rmSync(folder, { recursive: true }));

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

interface Started {
  readonly url: string;
  readonly child: ChildProcess;
  /** What was printed so far. */
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<number | null>;
}

function run(args: readonly string[], env: Record<string, string> = {}): Omit<Started, "url"> {
  const child = spawn(
    process.execPath,
    ["dist/cli/main.js", "serve", "--store", join(folder, "store"), ...args],
    {
      env: { ...process.env, ...env },
    },
  );
  started.push(child);
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (data) => {
      said[name] += data;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  return { child, stdout: () => said.stdout, stderr: () => said.stderr, ended };
}

async function start(args: readonly string[] = [], env: Record<string, string> = {}): Promise<Started> {
  const server = run(["--port", "0", ...args], env);
  await expect.poll(server.stdout, { timeout: 30_000 }).toContain("try ");
  return { ...server, url: /at (http:\S+)\/v1/.exec(server.stdout())![1] };
}

const ask = (url: string, body: object = {}, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({
      model: "embedded",
      messages: [{ role: "user", content: "What is 47 + 85?" }],
      ...body,
    }),
  });

describe("gpt-oss serve", () => {
  test("says what runs and where, answers, and logs nothing that was said", async () => {
    const { url, stdout, stderr, child, ended } = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    for (const word of ["model", "context", "backend", "store", "keys", "curl"])
      expect(stdout()).toContain(word);
    expect(stdout()).not.toContain("warning");
    expect(await (await ask(url)).json()).toMatchObject({
      choices: [{ message: { content: expect.stringContaining("132") } }],
    });
    const responses = await fetch(`${url}/v1/responses`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "embedded", input: "What is 47 + 85?" }),
    });
    expect(await responses.json()).toMatchObject({ status: "completed" });
    await expect.poll(stderr).toMatch(/POST \/v1\/chat\/completions 200 [\d.]+ s req_\w+/);
    expect(stderr()).not.toMatch(/What is|digit by digit/);
    child.kill("SIGINT");
    expect(await ended).toBe(0);
  });

  test("finishes a stream that runs when it is told to stop", async () => {
    const { url, child, ended, stderr } = await start();
    const response = await ask(url, { stream: true });
    child.kill("SIGTERM");
    expect(await response.text()).toContain("[DONE]");
    expect(await ended).toBe(0);
    expect(stderr()).toContain("stopping");
  });

  test("asks for keys from options, environment and file", async () => {
    const keys = join(folder, "keys");
    writeFileSync(keys, "alice: sk-alice-0001\n");
    const args = ["--api-keys", keys, "--api-key", "sk-option-01", "--log", "json"];
    const { url, stdout, stderr } = await start(args, { GPT_OSS_API_KEY: "sk-environ-1,sk-environ-2" });
    expect(stdout()).toMatch(/4: (key-[0-9a-f]{8}, ){3}alice/);
    const status = async (key: string): Promise<number> =>
      (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
    expect(await Promise.all(["sk-alice-0001", "sk-option-01", "sk-environ-2"].map(status))).toEqual([
      200, 200, 200,
    ]);
    expect(await status("sk-environ-3")).toBe(401);
    await expect.poll(() => stderr().trim().split("\n").length).toBeGreaterThanOrEqual(4);
    expect(stdout() + stderr()).not.toContain("sk-");
    for (const line of stderr().trim().split("\n"))
      expect(JSON.parse(line)).toMatchObject({ event: "request" });
  });

  test("warns when other machines can call and nobody is asked for a key", async () => {
    const { stdout } = await start(["--host", "0.0.0.0"]);
    expect(stdout()).toContain("warning: 0.0.0.0 can be reached from other machines");
  });

  test("says what is wrong with what it is given, and ends", async () => {
    const { url } = await start();
    const wrong: [readonly string[], string][] = [
      [["--port", new URL(url).port], "is taken"],
      [["--api-key", "short"], "at least 8 characters"],
      [["--api-keys", join(folder, "absent")], "cannot be read"],
      [["--port", "0", "--model", "./nowhere"], "nowhere"],
      [["--port", "0", "--store", "mysql://localhost"], "mysql"],
    ];
    for (const [args, words] of wrong) {
      const { ended, stderr } = run(args);
      expect(await ended, args.join(" ")).toBeGreaterThan(0);
      expect(stderr()).toContain(words);
      expect(stderr()).not.toContain("not an error gpt-oss expected");
    }
  });
});
