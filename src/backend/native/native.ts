// The native backend: C++ kernels behind the backend seam. Here handles become ids and operations become commands;
// a thread of the addon runs them in order, so that the JavaScript thread only writes them down.
// Checks everything before it is sent: the native side trusts shapes, indices and ids.

import { availableParallelism } from "node:os";
import { type ErrorCode, GptOssError, UnsupportedError } from "../../base/index.ts";
import type {
  AttentionOptions,
  Backend,
  Experts,
  KvCache,
  KvCacheSpec,
  Matrix,
  Tensor,
  Vector,
} from "../backend.ts";
import * as check from "../checks.ts";
import { createHandles, createTensors } from "../handles.ts";
import { loadAddon } from "./addon.ts";
import { type Commands, createCommands, op } from "./commands.ts";
import { nativeExperts, nativeMatrix, nativeVector } from "./sources.ts";

export interface NativeOptions {
  /** All cores by default. */
  readonly threads?: number;
  /** How dense weights are held: rounded to 8 bits when they are loaded (the default), or as the file has them. */
  readonly dense?: "int8" | "bf16";
  /** Name of the kernels to run; by default `GPT_OSS_KERNELS`, or else the fastest that this machine can run. */
  readonly kernels?: string;
}

/** Throws UnsupportedError where there are no kernels that this machine can run. */
export function createNativeBackend(options: NativeOptions = {}): Backend {
  const {
    threads = availableParallelism(),
    dense = "int8",
    kernels = process.env.GPT_OSS_KERNELS ?? "",
  } = options;
  if (!(Number.isInteger(threads) && threads > 0 && threads <= 1024)) {
    throw new GptOssError("library/bad-option", { message: `threads: ${threads}, expected 1 to 1024` });
  }
  const addon = loadAddon();
  const native = translated(() => new addon.NativeBackend(kernels, threads));
  const commands = createCommands((words, count) => native.submit(words, count));
  const newId = createIds();

  const releaseTensor = (id: number): void => {
    send(commands, op.free, () => commands.int(id));
    newId.tensor.release(id);
  };
  const tensors = createTensors<number>(releaseTensor);
  const matrices = createHandles<Matrix, number>("weight");
  const vectors = createHandles<Vector, number>("weight");
  const experts = createHandles<Experts, number>("weight");
  const caches = createHandles<KvCache, number>("cache", (id) => {
    send(commands, op.freeCache, () => commands.int(id));
    newId.cache.release(id);
  });

  /** Writes one operation, whose first argument is the id of its result. */
  const operation = (code: number, rows: number, cols: number, rest: () => void): Tensor => {
    const id = newId.tensor.take();
    const tensor = tensors.add(rows, cols, id, rows * cols * 4);
    send(commands, code, () => {
      commands.int(id);
      rest();
    });
    return tensor;
  };
  /** Loads happen in order with operations, off the JavaScript thread. */
  const load = async <T>(
    source: Promise<T>,
    run: (id: number, source: T) => Promise<number>,
  ): Promise<[number, number]> => {
    const ready = await source;
    commands.flush();
    const id = newId.weight.take();
    return [id, await translatedAsync(run(id, ready))];
  };
  let closing: Promise<void> | undefined;

  return {
    name: "native",
    description: `${native.description}; ${native.threads} threads; dense weights in ${dense === "int8" ? "8 bits" : "bfloat16"}`,
    cheapRows: 8, // kMaxVectors in native/kernels/kernels.h

    async loadMatrix(view, use = "linear") {
      const handle = check.checkMatrixView(view);
      const [id, bytes] = await load(nativeMatrix(view, handle, { use, dense }), (id, matrix) =>
        native.loadMatrix(id, matrix),
      );
      return matrices.add(handle, id, bytes);
    },
    async loadVector(view) {
      const handle = check.checkVectorView(view);
      const [id, bytes] = await load(nativeVector(view, handle), (id, vector) =>
        native.loadVector(id, vector),
      );
      return vectors.add(handle, id, bytes);
    },
    async loadExperts(views) {
      const handle = check.checkExpertViews(views);
      const [id, bytes] = await load(nativeExperts(views, handle), (id, source) =>
        native.loadExperts(id, source),
      );
      return experts.add(handle, id, bytes);
    },

    cacheBytes,
    createCache(spec) {
      check.checkCacheSpec(spec);
      const bytes = cacheBytes(spec);
      if (bytes > Number.MAX_SAFE_INTEGER)
        throw outOfMemory(`no memory for a key-value cache of ${bytes} bytes`);
      commands.flush(); // the id may be one whose release is only written down yet
      const id = newId.cache.take();
      const layerBlocks = Int32Array.from(spec.layerGroups, (group) => spec.groupBlocks[group]);
      const isInt8 = spec.storage === "int8";
      translated(() =>
        native.createCache(id, spec.kvHeads, spec.headDim, spec.blockTokens, layerBlocks, isInt8),
      );
      return caches.add({ spec }, id, bytes);
    },
    freeCache: caches.free,

    embed(table, tokens) {
      const id = matrices.get(table);
      check.checkEmbed(table, tokens);
      return operation(op.embed, tokens.length, table.cols, () => {
        commands.int(id);
        commands.int(tokens.length);
        commands.ints(tokens);
      });
    },
    rmsNorm(x, scale, epsilon) {
      const [xId, scaleId] = [tensors.get(x), vectors.get(scale)];
      check.checkRmsNorm(x, scale);
      return operation(op.rmsNorm, x.rows, x.cols, () => {
        commands.int(xId);
        commands.int(scaleId);
        commands.float(epsilon);
      });
    },
    linear(x, weight, bias) {
      const [xId, weightId, biasId] = [tensors.get(x), matrices.get(weight), bias ? vectors.get(bias) : -1];
      check.checkLinear(x, weight, bias);
      return operation(op.linear, x.rows, weight.rows, () => {
        commands.int(xId);
        commands.int(weightId);
        commands.int(biasId);
      });
    },
    rope(x, headDim, rotation) {
      const xId = tensors.get(x);
      check.checkRope(x, headDim, rotation);
      return operation(op.rope, x.rows, x.cols, () => {
        commands.int(xId);
        commands.int(headDim);
        commands.floats(rotation.cos);
        commands.floats(rotation.sin);
      });
    },
    attention(options) {
      const ids = [
        tensors.get(options.q),
        tensors.get(options.k),
        tensors.get(options.v),
        vectors.get(options.sinks),
      ];
      ids.push(caches.get(options.cache));
      check.checkAttention(options);
      return operation(op.attention, options.q.rows, options.q.cols, () => {
        for (const id of ids) commands.int(id);
        writeSequences(commands, options);
      });
    },
    moe(x, options) {
      const ids = [tensors.get(x), matrices.get(options.router), vectors.get(options.routerBias)];
      ids.push(experts.get(options.experts));
      check.checkMoe(x, options);
      return operation(op.moe, x.rows, x.cols, () => {
        for (const id of ids) commands.int(id);
        commands.int(options.expertsPerToken);
        commands.float(options.swigluLimit);
      });
    },
    add(a, b) {
      const [aId, bId] = [tensors.get(a), tensors.get(b)];
      check.checkAdd(a, b);
      return operation(op.add, a.rows, a.cols, () => {
        commands.int(aId);
        commands.int(bId);
      });
    },
    gather(x, rows) {
      const xId = tensors.get(x);
      check.checkGather(x, rows);
      return operation(op.gather, rows.length, x.cols, () => {
        commands.int(xId);
        commands.int(rows.length);
        commands.ints(rows);
      });
    },

    scope: tensors.scope,
    free: tensors.free,
    async read(tensor) {
      const id = tensors.get(tensor);
      const values = allocate(tensor.rows * tensor.cols);
      commands.flush();
      await translatedAsync(native.read(id, values));
      return values;
    },

    usage: () => ({
      tensors: tensors.count,
      weights: matrices.count + vectors.count + experts.count,
      caches: caches.count,
      bytes: tensors.bytes + matrices.bytes + vectors.bytes + experts.bytes + caches.bytes,
    }),
    close() {
      closing ??= (async () => {
        for (const handles of [tensors, matrices, vectors, experts, caches]) handles.close();
        commands.flush();
        await translatedAsync(native.close());
      })();
      return closing;
    },
  };
}

function send(commands: Commands, code: number, rest: () => void): void {
  commands.begin(code);
  rest();
  commands.end();
}

/** Positions behind the window are left out: their blocks may be gone, and nothing looks at them. */
function writeSequences(commands: Commands, { cache, layer, batch, window }: AttentionOptions): void {
  const { blockTokens, layerGroups } = cache.spec;
  commands.int(layer);
  commands.int(window ?? 0);
  commands.int(batch.sequences.length);
  let start = 0;
  for (const { tokens, position, blockTables } of batch.sequences) {
    const firstVisible = window === undefined ? 0 : Math.max(0, position - window + 1);
    const firstBlock = Math.floor(firstVisible / blockTokens);
    const endBlock = tokens.length === 0 ? firstBlock : Math.ceil((position + tokens.length) / blockTokens);
    commands.int(start);
    commands.int(tokens.length);
    commands.int(position);
    commands.int(firstBlock);
    commands.int(endBlock - firstBlock);
    commands.ints(blockTables[layerGroups[layer]].subarray(firstBlock, endBlock));
    start += tokens.length;
  }
}

/** native/kernels/kernels.h `KvLayout`: keys and values, head dimension and tokens of a block in whole sixteens. */
function cacheBytes(spec: KvCacheSpec): number {
  const { kvHeads, headDim, blockTokens, layerGroups, groupBlocks, storage } = spec;
  const sixteens = (size: number): number => Math.ceil(size / 16) * 16;
  const vectorBytes = storage === "int8" ? sixteens(headDim) + 4 : sixteens(headDim) * 2;
  const blockBytes = kvHeads * sixteens(blockTokens) * 2 * vectorBytes;
  return layerGroups.reduce((sum, group) => sum + groupBlocks[group] * blockBytes, 0);
}

function allocate(length: number): Float32Array {
  try {
    return new Float32Array(length);
  } catch (cause) {
    throw new GptOssError("backend/out-of-memory", {
      message: `no memory for ${length} values to read`,
      cause,
    });
  }
}

interface Ids {
  take(): number;
  release(id: number): void;
}

/** Small integers: the native side keeps tables of them. Commands are run in order, so a freed id can be used again. */
function createIds(): Readonly<Record<"tensor" | "weight" | "cache", Ids>> {
  const ids = (): Ids => {
    const free: number[] = [];
    let next = 0;
    return { take: () => free.pop() ?? next++, release: (id) => free.push(id) };
  };
  return { tensor: ids(), weight: ids(), cache: ids() };
}

function outOfMemory(message: string, cause?: unknown): GptOssError {
  return new GptOssError("backend/out-of-memory", {
    message,
    hint: "a shorter context or fewer sequences need less",
    cause,
  });
}

/** Native errors carry one of our codes. */
function translate(error: unknown): GptOssError {
  const { code, message } = error as { readonly code?: ErrorCode; readonly message?: string };
  if (code === "backend/unsupported") {
    return new UnsupportedError({
      message: message ?? "",
      hint: "GPT_OSS_KERNELS and `kernels` choose another set",
    });
  }
  if (code === "backend/out-of-memory") return outOfMemory(message ?? "", error);
  return new GptOssError(code ?? "base/assert", { message: message ?? String(error), cause: error });
}

function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(error);
  }
}

async function translatedAsync<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translate(error);
  }
}
