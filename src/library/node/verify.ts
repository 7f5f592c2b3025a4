// `verify`: is this installation whole, and does it compute what it should? Check after check, in the memory of one layer
// of the model, whatever its size.

import { access } from "node:fs/promises";
import type { KvStorage } from "../../backend/index.ts";
import { GptOssError, UnsupportedError } from "../../base/index.ts";
import type { Checkpoint } from "../../checkpoint/index.ts";
import { ioError, openCheckpoint } from "../../checkpoint/node/index.ts";
import { renderConversation, renderForCompletion } from "../../harmony/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { backendsCheck, cacheCheck, perplexityCheck } from "../verify/backend-checks.ts";
import type { Check, CheckName, VerifyProgress } from "../verify/check.ts";
import { scanTensors, tensorCheck } from "../verify/tensor-statistics.ts";
import { harmonyCheck, tokenizerCheck } from "../verify/text-checks.ts";
import { embeddedDialogue, passage } from "../verify/vectors.ts";
import { walk } from "../verify/walk.ts";
import { type BackendName, type BackendOptions, backendNames, onFirstBackend } from "./backends.ts";
import { isEmbedded } from "./embedded.ts";
import { filesCheck } from "./file-hashes.ts";
import { modelPath } from "./models.ts";
import { tokenizerOf } from "./tokenizer.ts";

export interface VerifyOptions extends BackendOptions {
  /** How keys and values are held while the layers are compared. Default: bf16. */
  readonly cache?: KvStorage;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/**
 * Verifies a model by any of its names, and gives each check as it is done. What is wrong with the model is a failed
 * check; thrown are only errors that leave nothing to check (`checkpoint/unknown-model`, `checkpoint/not-pulled`,
 * `checkpoint/not-found`) and, when it is aborted, the signal's reason.
 */
export async function* verify(name: string | undefined, options: VerifyOptions = {}): AsyncGenerator<Check> {
  const path = await modelPath(name);
  await access(path).catch((error: unknown) => {
    throw ioError(error, path);
  });
  yield await attempt("files", () => filesCheck(path, options), options);
  let checkpoint: Checkpoint;
  try {
    checkpoint = await openCheckpoint(path);
  } catch (error) {
    yield failure("layout", error);
    return;
  }
  try {
    const { layout, config } = checkpoint;
    yield {
      name: "layout",
      status: "passed",
      detail: `${layout}, ${config.layers} layers of ${config.experts} experts`,
      figures: { layout, layers: config.layers, experts: config.experts },
    };
    yield await attempt("tensors", async () => tensorCheck(await scanTensors(checkpoint, options)), options);
    let tokenizer: Tokenizer;
    try {
      tokenizer = tokenizerOf(checkpoint);
    } catch (error) {
      yield failure("tokenizer", error);
      return;
    }
    yield tokenizerCheck(tokenizer, config.vocabularySize);
    yield harmonyCheck(tokenizer);
    yield* computed(checkpoint, tokenizer, options);
  } finally {
    await checkpoint.close();
  }
}

/** Long enough that the last tokens look back past the window, short enough to be quick. */
const mostTokens = 160;
/** Each is a layer on the reference backend: some seconds for a published model. */
const mostSampledLayers = 4;

async function* computed(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer,
  options: VerifyOptions,
): AsyncGenerator<Check> {
  const { config, path } = checkpoint;
  const { text, tokens, scoredFrom } = textFor(path, tokenizer);
  const name = await fastestBackend(checkpoint, options);
  const create = (backend: BackendName) => async () =>
    (await onFirstBackend(config, { ...options, backend }, async (made) => made)).made;
  try {
    const walked = await walk(checkpoint, {
      ...options,
      tokens,
      scoredFrom,
      create: create(name),
      createReference: name === "reference" ? undefined : create("reference"),
      sampledLayers: sample(config.layers),
    });
    const context = { backend: name, layers: config.layers, cache: options.cache ?? "bf16" };
    yield backendsCheck(walked, context);
    yield cacheCheck(walked, context);
    yield perplexityCheck(walked, {
      text,
      tokens: tokens.length - scoredFrom,
      vocabularySize: config.vocabularySize,
    });
  } catch (error) {
    options.signal?.throwIfAborted();
    yield failure("backends", error);
  }
}

interface ScoredText {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly scoredFrom: number;
}

function textFor(path: string, tokenizer: Tokenizer): ScoredText {
  if (!isEmbedded(path)) {
    const tokens = [tokenizer.special.startoftext, ...tokenizer.encode(passage)];
    return { text: "a built-in passage of English", tokens: tokens.slice(0, mostTokens), scoredFrom: 1 };
  }
  // It was never asked to expect questions.
  const question = embeddedDialogue.filter(({ role }) => role !== "assistant");
  return {
    text: "an answer of the kind it was trained on",
    tokens: renderConversation(embeddedDialogue, tokenizer, { analysis: "keep" }),
    scoredFrom: renderForCompletion(question, tokenizer).length,
  };
}

/** The first and the last, and some between; of both kinds, since neighbours differ. */
function sample(layers: number): readonly number[] {
  const count = Math.min(mostSampledLayers, layers);
  const at = (i: number): number => Math.round((i * (layers - 1)) / Math.max(1, count - 1));
  return [...new Set(Array.from({ length: count }, (_, i) => at(i)))];
}

/** What a conversation with a large model would run on; the embedded one runs on the reference, and can run on this. */
async function fastestBackend({ config }: Checkpoint, options: VerifyOptions): Promise<BackendName> {
  if (options.backend !== undefined) return options.backend;
  for (const backend of backendNames) {
    try {
      await onFirstBackend(config, { ...options, backend }, async (made) => made.close());
      return backend;
    } catch (error) {
      if (!UnsupportedError.isInstance(error)) throw error;
    }
  }
  return "reference";
}

async function attempt(
  name: CheckName,
  work: () => Promise<Check>,
  { signal }: VerifyOptions,
): Promise<Check> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    return failure(name, error);
  }
}

/** An error of ours is what the check found; any other one is not the model's fault. */
function failure(name: CheckName, error: unknown): Check {
  if (!GptOssError.isInstance(error)) throw error;
  return { name, status: "failed", detail: error.message, figures: { code: error.code } };
}
