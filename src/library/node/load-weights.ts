// From a folder to weights on a backend: what every command that computes begins with.

import type { Checkpoint } from "../../checkpoint/index.ts";
import { openCheckpoint } from "../../checkpoint/node/index.ts";
import { type LoadProgress, loadModel, type Model } from "../../model/index.ts";
import { type BackendOptions, onFirstBackend } from "./backends.ts";

export interface LoadWeightsOptions extends BackendOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Told once when a faster backend could not be used. Default: a warning of the process. */
  readonly onWarning?: (message: string) => void;
}

export interface LoadedWeights {
  readonly checkpoint: Checkpoint;
  readonly model: Model;
  /** Why faster backends were not used. */
  readonly passedOver: readonly string[];
  close(): Promise<void>;
}

/** Errors: those of `openCheckpoint` and of the backend; aborting rejects with the signal's reason. */
export async function loadWeights(path: string, options: LoadWeightsOptions = {}): Promise<LoadedWeights> {
  const { signal, onProgress, onWarning = warn } = options;
  const checkpoint = await openCheckpoint(path);
  try {
    const { made: model, passedOver } = await onFirstBackend(options, (backend) =>
      loadModel(checkpoint, backend, { ...(signal && { signal }), ...(onProgress && { onProgress }) }),
    );
    if (passedOver.length > 0)
      onWarning(`the ${model.backend.name} backend is used. ${passedOver.join("; ")}`);
    const close = async (): Promise<void> => {
      await model.backend.close();
      await checkpoint.close();
    };
    return { checkpoint, model, passedOver, close };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

const warn = (message: string): void => process.emitWarning(message, { type: "GptOssWarning" });
