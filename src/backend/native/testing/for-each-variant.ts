// Which compiled kernels a test file can run on this machine, and what is said where it can run none.

import { spawnSync } from "node:child_process";
import { test } from "vitest";
import { UnsupportedError } from "../../../base/index.ts";
import { loadAddon, type NativeVariant } from "../addon.ts";

/**
 * Declares the tests of each variant that runs here, `best` being the first. What does not run is one skipped test that
 * says why. Only where kernels must be there, in CI on a machine with a compiler, do missing ones fail.
 */
export function forEachVariant(
  declare: (kernels: string, options: { readonly best: boolean }) => void,
): void {
  const variants = builtVariants();
  const usable = variants.filter(({ missing }) => missing === "");
  for (const { name } of usable) declare(name, { best: name === usable[0].name });
  for (const { name, missing } of variants) {
    if (missing !== "") skip(`native, ${name}`, `this processor lacks ${missing}`);
  }
}

function builtVariants(): readonly NativeVariant[] {
  try {
    return loadAddon().variants;
  } catch (error) {
    if (!UnsupportedError.isInstance(error)) throw error;
    if (process.env.CI && hasCompiler()) {
      test("the native kernels are built", () => {
        throw error;
      });
    } else skip("native", error.message);
    return [];
  }
}

/** Reporters may hide names of skipped tests, so the reason is printed, too. */
function skip(name: string, reason: string): void {
  const title = `${name} (skipped: ${reason.replaceAll(/\n\s*/g, " ")})`;
  console.warn(title);
  test.skip(title, () => {});
}

const hasCompiler = (): boolean => spawnSync(process.env.CXX ?? "c++", ["--version"]).status === 0;
