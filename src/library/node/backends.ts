// Which backend runs, and why. Small models run on the exact one, larger ones on the fastest that can; only "this
// cannot be done here" lets the next one try.

import type { Backend } from "../../backend/index.ts";
import { createNativeBackend } from "../../backend/native/index.ts";
import { createReferenceBackend } from "../../backend/reference/index.ts";
import { assert, GptOssError, UnsupportedError } from "../../base/index.ts";
import { checkpointBytes, type ModelConfig } from "../../checkpoint/index.ts";

export type BackendName = "native" | "reference";

export interface BackendOptions {
  /** Only this one, or an error. Default: the exact one for small models, else the fastest that works here. */
  readonly backend?: BackendName;
  /** Default: one per core. */
  readonly threads?: number;
  /**
   * How the native backend holds dense weights: rounded to 8 bits (the default), or in the file's bfloat16, which needs
   * nothing beyond the mapped file but makes decoding read half as much again. Others compute on the file's values.
   */
  readonly dense?: "int8" | "bf16";
}

type Create = (options: BackendOptions) => Promise<Backend>;

/** Fastest first; the last one works everywhere. */
const creators: Readonly<Record<BackendName, Create>> = {
  native: async ({ threads, dense }) =>
    createNativeBackend({ ...(threads !== undefined && { threads }), ...(dense !== undefined && { dense }) }),
  reference: async () => createReferenceBackend(),
};

export const backendNames = Object.keys(creators) as BackendName[];

/** What was made on a backend, and why on this one. */
export interface OnBackend<Made> {
  readonly made: Made;
  readonly why: string;
  /** Set when a faster backend should have run but could not. */
  readonly warning?: string;
}

/** `make` on the first backend that can; a backend on which it fails is closed. */
export async function onFirstBackend<Made>(
  config: ModelConfig,
  options: BackendOptions,
  make: (backend: Backend) => Promise<Made>,
): Promise<OnBackend<Made>> {
  const { names, why } = candidates(config, options);
  const failures: string[] = [];
  for (const name of names) {
    try {
      const made = await makeOn(await creators[name](options), make);
      if (failures.length === 0) return { made, why };
      const warning = `the ${name} backend is used, which is slower. ${failures.join("\n")}`;
      return { made, why: failures.join("\n"), warning };
    } catch (error) {
      if (!UnsupportedError.isInstance(error) || name === names.at(-1)) throw error;
      failures.push(`${name}: ${error.message}`);
    }
  }
  assert(false, "the last backend neither worked nor failed");
}

/** The reference backend decodes so small a model at hundreds of tokens a second, and rounds nothing. */
const exactBelowBytes = 32e6;

function candidates(
  config: ModelConfig,
  { backend }: BackendOptions,
): { readonly names: readonly BackendName[]; readonly why: string } {
  if (backend !== undefined) {
    if (Object.hasOwn(creators, backend)) return { names: [backend], why: "it was asked for" };
    throw new GptOssError("library/bad-option", {
      message: `there is no backend ${JSON.stringify(backend)}`,
      hint: `backends are ${backendNames.join(", ")}`,
    });
  }
  if (checkpointBytes(config) < exactBelowBytes) {
    return { names: ["reference"], why: "the model is so small that the exact backend is fast enough" };
  }
  return { names: backendNames, why: "it is the fastest that works here" };
}

async function makeOn<Made>(backend: Backend, make: (backend: Backend) => Promise<Made>): Promise<Made> {
  try {
    return await make(backend);
  } catch (error) {
    await backend.close();
    throw error;
  }
}
