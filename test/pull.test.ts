// pull, models and verify as people run them: the built program against a hub on this machine, killed and interrupted.

import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  filesIn,
  type LocalHub,
  type LocalHubOptions,
  startLocalHub,
} from "../src/checkpoint/testing/local-hub.ts";

const micro = "models/micro";
const files = filesIn(micro);
const root = mkdtempSync(join(tmpdir(), "gpt-oss-pull-cli-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let hub: LocalHub;
let home: string;
let count = 0;
beforeEach(() => {
  home = join(root, String(count++));
});
afterEach(() => hub?.close());

const start = async (options?: LocalHubOptions): Promise<void> => {
  hub = await startLocalHub(files, options);
};

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function spawnGptOss(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const own = {
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: home,
    OLLAMA_MODELS: join(home, "ollama"),
    HF_HUB_CACHE: "",
    NO_COLOR: "1",
  };
  return spawn(process.execPath, ["dist/cli/main.js", ...args], {
    env: { ...process.env, ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function ended(child: ChildProcess): Promise<Result> {
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.on("data", (chunk: Buffer) => (out[name] += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, ...out })));
}

const gptOss = (args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Result> =>
  ended(spawnGptOss(args, env));

const blobs = (): string => join(home, "hub/models--openai--gpt-oss-20b/blobs");
const partials = (): string[] =>
  existsSync(blobs()) ? readdirSync(blobs()).filter((name) => name.endsWith(".incomplete")) : [];
const partialBytes = (): number =>
  partials().reduce((sum, name) => sum + statSync(join(blobs(), name)).size, 0);

/** Ends a pull once so many bytes of its large files are there. */
async function pullUntil(bytes: number, signal: NodeJS.Signals): Promise<Result> {
  const child = spawnGptOss(["pull", "20b"]);
  const result = ended(child);
  while (partialBytes() < bytes && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill(signal);
  return result;
}

function expectRight(path: string): void {
  for (const [file, bytes] of files) expect(readFileSync(join(path, file)).equals(bytes), file).toBe(true);
}

describe("pull", () => {
  test("says what it needs, prints the folder, and the model answers by its name, without the hub", async () => {
    await start();
    const { code, stdout, stderr } = await gptOss(["pull", "20b"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /openai\/gpt-oss-20b, commit [0-9a-f]{7}: 3\.67 MB in 6 files\ndisk: 3\.67 MB needed, .* free in/,
    );
    expect(stderr).toMatch(/memory: about .* with 8,192 tokens of context, this machine has/);
    expectRight(stdout.trim());
    await hub.close();
    const answer = await gptOss(["generate", "--model", "20b", "--temperature", "0", "What is 12 + 30?"], {
      HF_HUB_OFFLINE: "1",
    });
    expect(answer.code, answer.stderr).toBe(0);
    const listed = JSON.parse((await gptOss(["models", "--json"])).stdout) as {
      name: string;
      isComplete: boolean;
    }[];
    expect(listed.map(({ name, isComplete }) => [name, isComplete])).toEqual([
      ["embedded", true],
      ["openai/gpt-oss-20b", true],
    ]);
    const table = await gptOss(["models"]);
    expect(table.stdout).toMatch(
      /^name +size +layout +path\nembedded +3\.60 MB +huggingface .*\nopenai\/gpt-oss-20b +3\.67 MB +huggingface /,
    );
  });

  test("killed in the middle, continues where it was, and leaves nothing half under a whole name", async () => {
    await start({ pauseMs: 4 });
    await pullUntil(600_000, "SIGKILL");
    const kept = partialBytes();
    expect(kept).toBeGreaterThanOrEqual(600_000);
    const absent = await gptOss(["info", "--model", "20b"]);
    expect(absent.stderr).toMatch(/checkpoint\/not-pulled/);
    const { code, stdout, stderr } = await gptOss(["pull", "20b", "--json"]);
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout) as { path: string; bytes: number; fetchedBytes: number };
    expect(report.fetchedBytes).toBeLessThanOrEqual(report.bytes - kept);
    expectRight(report.path);
    expect(hub.seen.some(({ range }) => range !== undefined)).toBe(true);
    expect(partials()).toEqual([]);
  });

  test("interrupted, ends with 130 at once and keeps what came", async () => {
    await start({ pauseMs: 4 });
    const { code, stderr } = await pullUntil(600_000, "SIGINT");
    expect(code).toBe(130);
    expect(stderr).not.toMatch(/error/);
    expect(stderr).toMatch(/\nstopped; what came is kept/);
    const listed = await gptOss(["models"]);
    expect(listed.stdout).toMatch(/\nopenai\/gpt-oss-20b +[\d.]+ [kM]B +not usable +\//);
    expect(listed.stderr).toBe(
      "openai/gpt-oss-20b: unfinished: gpt-oss pull openai/gpt-oss-20b fetches the rest\n",
    );
    expect(partialBytes()).toBeGreaterThanOrEqual(600_000);
    expect(readdirSync(join(home, "hub/.locks/models--openai--gpt-oss-20b"))).toEqual([]);
  });

  test("of what is not on a hub names what is near", async () => {
    await start();
    const { code, stderr } = await gptOss(["pull", "gpt-oss-2b"]);
    expect([code, hub.seen]).toEqual([1, []]);
    expect(stderr).toMatch(/checkpoint\/unknown-model\)\n {2}near: gpt-oss-20b, gpt-oss-120b/);
    expect((await gptOss(["pull", "ollama:gpt-oss:20b"])).stderr).toMatch(/ollama pull gpt-oss:20b/);
  });
});

test("chat with a model that is not here, and nobody to ask, names the command that fetches it", async () => {
  await start();
  const { code, stderr } = await gptOss(["chat", "--model", "20b", "hello"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /not on this machine \(checkpoint\/not-pulled\)\n {2}gpt-oss pull openai\/gpt-oss-20b fetches it/,
  );
  expect(hub.seen).toEqual([]);
});

describe("verify", () => {
  test("prints a table and ends with 0 for a good model, without the hub", async () => {
    await start();
    await gptOss(["pull", "20b"]);
    const before = hub.seen.length;
    const { code, stdout, stderr } = await gptOss(["verify", "--model", "20b"]);
    expect(code, stderr + stdout).toBe(0);
    expect(stdout).toMatch(/^files +passed +6 have the published hashes\nlayout +passed /);
    expect(stdout).toMatch(
      /\ntensors +passed .*\ntokenizer +passed .*\nharmony +passed .*\nbackends +.*\ncache +passed .*\nperplexity +passed /,
    );
    expect(hub.seen.length).toBe(before);
  });

  test("ends with 1 for a damaged one, and says in JSON which check failed", async () => {
    await start();
    const { stdout: path } = await gptOss(["pull", "20b"]);
    const weights = realpathSync(join(path.trim(), "model-00001-of-00002.safetensors"));
    const bytes = readFileSync(weights);
    bytes[bytes.length - 100] ^= 4;
    writeFileSync(weights, bytes);
    const { code, stdout, stderr } = await gptOss(["verify", "--model", "20b", "--json"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/did not pass: files \(library\/not-verified\)/);
    const { passed, checks } = JSON.parse(stdout) as {
      passed: boolean;
      checks: { name: string; status: string }[];
    };
    expect(passed).toBe(false);
    expect(checks.find(({ name }) => name === "files")).toMatchObject({
      status: "failed",
      figures: { wrong: ["model-00001-of-00002.safetensors"] },
    });
    // It has its size, so that only reading it shows what is wrong.
    expect((await gptOss(["pull", "20b"])).stderr).toMatch(/in 6 files, all here\n/);
    expect(stderr).toMatch(/gpt-oss pull --check fetches damaged files of the hub again/);
    const repaired = await gptOss(["pull", "20b", "--check"]);
    expect(repaired.stderr).toMatch(/damaged, and fetched again: model-00001-of-00002.safetensors\n/);
    expectRight(path.trim());
  });
});
