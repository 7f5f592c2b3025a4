// From a model's name to weights on a backend: what every command that computes begins with.

import type { Backend } from "../../backend/index.ts";
import type { Checkpoint } from "../../checkpoint/index.ts";
import { type LoadProgress, loadModel, type Model } from "../../model/index.ts";
import { type BackendOptions, onFirstBackend } from "./backends.ts";
import { openModel } from "./models.ts";

export interface LoadWeightsOptions extends BackendOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Told once when a faster backend could not be used. Default: a warning of the process. */
  readonly onWarning?: (message: string) => void;
}

export interface LoadedWeights {
  readonly checkpoint: Checkpoint;
  readonly model: Model;
  /** Why on this backend. */
  readonly why: string;
  close(): Promise<void>;
}

/**
 * Any name of a model, as `load` takes it; none is the embedded one. Errors: those of `openModel` and of the backend;
 * aborting rejects with the signal's reason.
 */
export async function loadWeights(
  name: string | undefined,
  options: LoadWeightsOptions = {},
): Promise<LoadedWeights> {
  const { signal, onProgress, onWarning = warn } = options;
  const checkpoint = await openModel(name);
  try {
    const load = (backend: Backend): Promise<Model> =>
      loadModel(checkpoint, backend, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
    const { made: model, why, warning } = await onFirstBackend(checkpoint.config, options, load);
    if (warning !== undefined) onWarning(warning);
    const close = async (): Promise<void> => {
      await model.backend.close();
      await checkpoint.close();
    };
    return { checkpoint, model, why, close };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

export const warn = (message: string): void => process.emitWarning(message, { type: "GptOssWarning" });
