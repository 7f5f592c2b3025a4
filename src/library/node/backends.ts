// Which backend runs: the fastest that can, in order. Only "this cannot be done here" lets the next one try.

import type { Backend } from "../../backend/index.ts";
import { createReferenceBackend } from "../../backend/reference/index.ts";
import { GptOssError, UnsupportedError } from "../../base/index.ts";

export type BackendName = "reference";

export interface BackendOptions {
  /** Only this one, or an error. Default: the first that works. */
  readonly backend?: BackendName;
  /** Default: one per core. */
  readonly threads?: number;
}

type Create = (options: BackendOptions) => Promise<Backend>;

/** Fastest first. */
const creators: readonly (readonly [BackendName, Create])[] = [
  ["reference", async () => createReferenceBackend()],
];

export const backendNames: readonly BackendName[] = creators.map(([name]) => name);

/** What was made on a backend, and why the faster ones were not used. */
export interface OnBackend<Made> {
  readonly made: Made;
  readonly passedOver: readonly string[];
}

/** `make` on the first backend that can; a backend on which it fails is closed. */
export async function onFirstBackend<Made>(
  options: BackendOptions,
  make: (backend: Backend) => Promise<Made>,
): Promise<OnBackend<Made>> {
  const candidates = creators.filter(([name]) => options.backend === undefined || name === options.backend);
  if (candidates.length === 0) {
    throw new GptOssError("library/bad-option", {
      message: `there is no backend ${JSON.stringify(options.backend)}`,
      hint: `backends are ${backendNames.join(", ")}`,
    });
  }
  const passedOver: string[] = [];
  for (const [name, create] of candidates) {
    try {
      return { made: await makeOn(await create(options), make), passedOver };
    } catch (error) {
      if (!UnsupportedError.isInstance(error) || name === candidates.at(-1)?.[0]) throw error;
      passedOver.push(`${name}: ${error.message}`);
    }
  }
  throw new Error("unreachable: the last candidate either works or throws");
}

async function makeOn<Made>(backend: Backend, make: (backend: Backend) => Promise<Made>): Promise<Made> {
  try {
    return await make(backend);
  } catch (error) {
    await backend.close();
    throw error;
  }
}
