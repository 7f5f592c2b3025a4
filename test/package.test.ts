// The package as npm delivers it: packed, installed in an empty folder, imported, run.

import { execFile, execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const packageJson = JSON.parse(readFileSync("package.json", "utf8"));
const subpaths = Object.keys(packageJson.exports).filter((path) => path !== "./package.json");

const folder = mkdtempSync(join(tmpdir(), "gpt-oss-package-"));
const project = join(folder, "project");
let files: string[];
let tarball: string;

const kernels = `prebuilds/${process.platform}-${process.arch}/gptoss.node`;
const areKernelsBuilt = existsSync("native/build/Release/gptoss.node");

beforeAll(() => {
  if (areKernelsBuilt) execFileSync(process.execPath, ["scripts/prebuild.mjs", "--built"], { stdio: "pipe" });
  // `prepack` would build again, native kernels included; dist/ is fresh from the global set-up.
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    encoding: "utf8",
  });
  const [{ filename, files: entries }] = JSON.parse(packed);
  files = entries.map(({ path }: { path: string }) => path);
  tarball = join(folder, filename);
  install();
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** From the registry or npm's cache; without either, with the dependencies of this checkout in their place. */
function install(): void {
  mkdirSync(project);
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "project", private: true, type: "module" }),
  );
  const npm = (...args: string[]): void => {
    const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
    execFileSync("npm", ["install", ...flags, ...args], { cwd: project, stdio: "pipe", timeout: 120_000 });
  };
  try {
    npm("--fetch-retries=0", "--fetch-timeout=20000", tarball);
  } catch (error) {
    const reason = String((error as { stderr?: Buffer }).stderr);
    if (!/ENOTCACHED|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|network/i.test(reason)) throw error;
    console.warn("no registry: installing with the dependencies of this checkout");
    npm(tarball, ...Object.keys(packageJson.dependencies).map((name) => resolve("node_modules", name)));
  }
}

describe("the tarball", () => {
  test("runs nothing when it is installed, and has no script that npm would ask about", () => {
    const scripts = Object.keys(packageJson.scripts);
    const asking = [
      "preinstall",
      "install",
      "postinstall",
      "prepublish",
      "preprepare",
      "prepare",
      "postprepare",
    ];
    expect(scripts.filter((name) => asking.includes(name))).toEqual([]);
  });

  test("has what runs, and nothing else", () => {
    expect(files).toContain("dist/cli/main.js");
    expect(files).toContain("models/micro/config.json");
    expect(files).toContain("LICENSE");
    const strangers = files.filter(
      (path) =>
        !/^(dist|models|prebuilds)\/|^(package\.json|README\.md|LICENSE)$/.test(path) ||
        /test|tsbuildinfo/.test(path),
    );
    expect(strangers).toEqual([]);
  });

  test("is what publint wants", async () => {
    const bytes = readFileSync(tarball);
    const { messages, pkg } = await publint({
      pack: {
        tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
      },
      strict: true,
    });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });
});

describe("installed in an empty folder", () => {
  test.each(subpaths)("%s can be imported, and has something in it or types", async (subpath) => {
    const name = subpath === "." ? "gpt-oss" : `gpt-oss/${subpath.slice(2)}`;
    const script = `const room = await import(${JSON.stringify(name)}); console.log(Object.keys(room).length)`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: project });
    // Of the backend seam there are only types; backends have subpaths of their own.
    expect(Number(stdout)).toBeGreaterThan(subpath === "./backend" ? -1 : 0);
  });

  test("the library answers", async () => {
    const script = `import { load } from "gpt-oss";
      const model = await load();
      console.log((await model.respond("What is 47 + 85?")).text);
      await model.close();`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: project });
    expect(stdout).toBe("47 + 85 = 132.\n");
  });

  test.skipIf(!areKernelsBuilt)("the native kernels are the ones that were packed", async () => {
    expect(files).toContain(kernels);
    const script = `import { createNativeBackend } from "gpt-oss/backend/native";
      const backend = createNativeBackend();
      console.log(backend.name, process.report.getReport().sharedObjects.find((path) => path.endsWith("gptoss.node")));
      await backend.close();`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: project });
    expect(stdout).toBe(`native ${realpathSync(join(project, "node_modules/gpt-oss", kernels))}\n`);
    // Nothing that npm would compile by itself when it installs.
    const { scripts, gypfile } = packageJson;
    expect([scripts.preinstall, scripts.install, scripts.postinstall, gypfile]).toEqual(
      Array(4).fill(undefined),
    );
    expect(files.filter((path) => /\.(gyp|cc|h)$/.test(path))).toEqual([]);
  });

  test("the command line runs", async () => {
    const { stdout } = await run("npx", ["--no-install", "gpt-oss", "What is 47 + 85?"], { cwd: project });
    expect(stdout).toBe("47 + 85 = 132.\n");
  });

  test("the types are there, strictly", async () => {
    writeFileSync(
      join(project, "use.ts"),
      `import { load, tool, type AgentEvent } from "gpt-oss";
       import { o200kHarmony, type TokenId } from "gpt-oss/tokenizer";
       import { z } from "zod";
       const add = tool({ parameters: z.object({ a: z.number() }), execute: ({ a }) => a + 1 });
       export const tokens: TokenId[] = o200kHarmony().encode("hi");
       export async function ask(see: (event: AgentEvent) => void): Promise<string> {
         await using model = await load();
         for await (const event of model.stream("hi", { tools: { add } })) see(event);
         return (await model.respond("hi", { effort: "low" })).text;
       }
       // @ts-expect-error there is no such effort
       export const wrong = async () => (await load()).respond("hi", { effort: "extreme" });`,
    );
    const options = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, module: "nodenext" };
    const compilerOptions = {
      ...options,
      target: "es2023",
      lib: ["es2023", "dom", "esnext.disposable"],
      types: [],
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
    const tsc = resolve("node_modules/.bin/tsc");
    const { stdout } = await run(tsc, ["-p", project]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe("");
  });
});
