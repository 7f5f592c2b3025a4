// Finds and loads the compiled kernels, and types what they export. Knows where binaries lie, not what they compute.

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { UnsupportedError } from "../../base/index.ts";

/** A weight's bytes: in a file, which is mapped, or in memory, which is copied. */
export type NativeSource =
  | { readonly path: string; readonly offset: number; readonly bytes: number }
  | { readonly data: Uint8Array; readonly bytes: number };

export type NativeVector = NativeSource & { readonly dtype: string; readonly length: number };

export type NativeMatrix = NativeSource & {
  readonly dtype: string;
  readonly rows: number;
  readonly cols: number;
  readonly to8Bit: boolean;
};

/** MXFP4 as safetensors files hold it, or in the blocks of GGUF files: see `StoredBlocks`. */
export type NativeExpertMatrix =
  | { readonly blocks: NativeSource; readonly scales: NativeSource }
  | {
      readonly parts: readonly (NativeSource & { readonly expertBytes: number })[];
      readonly nibbles: "halves" | "pairs";
    };

export interface NativeExperts {
  readonly experts: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly gateUp: NativeExpertMatrix;
  readonly gateUpBias: NativeVector;
  readonly down: NativeExpertMatrix;
  readonly downBias: NativeVector;
}

/** native/addon/native_backend.h. Ids are chosen here; errors have a `code` of ours. */
export interface NativeHandle {
  readonly kernels: string;
  readonly description: string;
  readonly threads: number;
  /** Held beyond mapped files, scratch included. */
  readonly bytes: number;
  submit(words: Int32Array, count: number): void;
  createCache(
    id: number,
    kvHeads: number,
    headDim: number,
    blockTokens: number,
    layerBlocks: Int32Array,
    isInt8: boolean,
  ): void;
  /** The loads resolve to the bytes held beyond the mapped file. */
  loadMatrix(id: number, matrix: NativeMatrix): Promise<number>;
  loadVector(id: number, vector: NativeVector): Promise<number>;
  loadExperts(id: number, experts: NativeExperts): Promise<number>;
  read(tensor: number, out: Float32Array): Promise<number>;
  close(): Promise<number>;
}

export interface NativeVariant {
  readonly name: string;
  readonly description: string;
  /** The processor features that this machine lacks; empty where the variant runs. */
  readonly missing: string;
}

export interface Addon {
  readonly interface: number;
  readonly variants: readonly NativeVariant[];
  readonly NativeBackend: new (kernels: string, threads: number) => NativeHandle;
}

/** What addon.cc exports as `interface`. */
const interfaceVersion = 3;

/** Where a binary may lie, the likeliest first. `GPT_OSS_NATIVE` names the only one. */
export function addonCandidates(
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const forced = environment.GPT_OSS_NATIVE;
  if (forced) return [forced];
  const root = new URL("../../../", import.meta.url); // of the package, from src/ and from dist/ alike
  return ["native/build/Release", `prebuilds/${process.platform}-${process.arch}`].map((folder) =>
    fileURLToPath(new URL(`${folder}/gptoss.node`, root)),
  );
}

/** The first candidate that loads. Throws UnsupportedError that says what was tried and why each failed. */
export function loadAddon(candidates: readonly string[] = addonCandidates(process.env)): Addon {
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  for (const path of candidates) {
    try {
      const addon = require(path) as Partial<Addon> | undefined;
      if (addon?.interface === interfaceVersion) return addon as Addon;
      tried.push(`${path}: made for another version of this package`);
    } catch (cause) {
      const isMissing = (cause as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
      tried.push(`${path}: ${isMissing ? "not there" : firstLine(cause)}`);
    }
  }
  throw new UnsupportedError({
    message: `no native kernels for ${process.platform}-${process.arch}; tried\n  ${tried.join("\n  ")}`,
    hint: "in a checkout, `node scripts/prepare.mjs` builds them where a C++17 compiler, make and python3 are installed",
  });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0];
}
