import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

let vite; // slow to load, and most processes need it for nothing

export async function load(url, context, nextLoad) {
  if (!url.endsWith(".ts")) return nextLoad(url, context);
  vite ??= await import("vite");
  const path = fileURLToPath(url);
  const { code } = await vite.transformWithOxc(await readFile(path, "utf8"), path, { sourcemap: false });
  return { format: "module", source: code, shortCircuit: true };
}
