// An engine in a thread of its own, so that whoever uses it stays awake while it computes: a server answers, a terminal
// scrolls. Starts the thread and sees it end; what is said over the engine's port is in src/engine/remote/.

import process from "node:process";
import { MessageChannel, Worker } from "node:worker_threads";
import { errorFromWire, GptOssError, type WireError } from "../../base/index.ts";
import { connectEngine, type Engine, type EnginePort } from "../../engine/index.ts";
import type { LoadProgress } from "../../model/index.ts";
import type { EngineLoadOptions, ModelInfo } from "./load-engine.ts";
import { warn } from "./load-weights.ts";
import { modelPath } from "./models.ts";

/** What the thread is given. */
export interface ThreadData {
  readonly port: EnginePort;
  readonly options: EngineLoadOptions;
}

/** What the thread says until its engine can be used. Whatever it is told means that it shall stop loading. */
export type FromThread =
  | { readonly type: "progress"; readonly progress: LoadProgress }
  | { readonly type: "warning"; readonly text: string }
  | { readonly type: "loaded"; readonly info: ModelInfo }
  | { readonly type: "failed"; readonly error: WireError };

export interface EngineInThread {
  readonly engine: Engine;
  readonly info: ModelInfo;
  /** Resolves when the thread has ended, and with it all that it held. */
  close(): Promise<void>;
}

/** Beside this file, with the same suffix: `.js` as built, `.ts` as written. */
const script = new URL(import.meta.url.replace(/load-in-thread(\.[jt]s).*$/, "engine-thread$1"));

/**
 * Errors: those of `loadEngine`; aborting rejects with the signal's reason. If the thread dies later, what runs fails
 * with `engine/crashed`. A thread whose engine has nothing to do does not keep the process alive.
 */
export async function loadInThread(options: EngineLoadOptions): Promise<EngineInThread> {
  const { signal, onProgress, onWarning = warn, ...data } = options;
  signal?.throwIfAborted();
  const model = await modelPath(options.model); // what is not there needs no thread
  const { port1: port, port2 } = new MessageChannel();
  const workerData = { port: port2, options: { ...data, model } } satisfies ThreadData;
  const worker = new Worker(script, {
    workerData,
    transferList: [port2],
    name: "gpt-oss engine",
    execArgv: inheritedFlags(),
  });
  const ended = endOf(worker);
  const loaded = new Promise<ModelInfo>((resolve, reject) => {
    worker.on("message", (message: FromThread) => {
      switch (message.type) {
        case "progress":
          return onProgress?.(message.progress);
        case "warning":
          return onWarning(message.text);
        case "loaded":
          return resolve(message.info);
        case "failed":
          return reject(errorFromWire(message.error));
        default:
          message satisfies never;
      }
    });
  });
  const interrupt = (): void => worker.postMessage("stop loading");
  signal?.addEventListener("abort", interrupt);
  try {
    const onBusy = (isBusy: boolean): void => (isBusy ? port.ref() : port.unref());
    const connected = connectEngine(port, { onBusy });
    const died = ended.then((error) => Promise.reject(error));
    const [info, engine] = await Promise.race([Promise.all([loaded, connected]), died]);
    signal?.throwIfAborted(); // it may have been too quick for the thread
    void ended.then(engine.lose);
    worker.unref();
    port.unref();
    const close = async (): Promise<void> => {
      worker.ref();
      await engine.close();
      await ended;
    };
    return { engine, info, close };
  } catch (error) {
    port.close();
    await ended;
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", interrupt);
  }
}

/**
 * Threads inherit the process's flags, loaders among them. Where one of them is `--input-type`, which Node refuses in
 * threads that run a file, they have to be named, and then flags of V8 are refused, which hold for the process anyway.
 */
function inheritedFlags(): string[] | undefined {
  const flags = process.execArgv;
  if (!flags.some((flag) => flag.startsWith("--input-type"))) return undefined;
  const isRefused = (flag: string): boolean => /^--(input-type|max-|stack-size|expose-gc)/.test(flag);
  return flags.filter((flag, i) => !isRefused(flag) && flags[i - 1] !== "--input-type");
}

/** → how what runs then ends. */
function endOf(worker: Worker): Promise<Error> {
  return new Promise((resolve) => {
    let cause: unknown;
    worker.once("error", (error) => {
      cause = error;
    });
    worker.once("exit", () => resolve(crashed(cause)));
  });
}

function crashed(cause: unknown): GptOssError {
  const reason = cause instanceof Error ? `: ${cause.message}` : "";
  return new GptOssError("engine/crashed", {
    message: `the engine's thread has ended unexpectedly${reason}`,
    hint: "load the model again; if memory ran out, with a smaller context",
    cause,
  });
}
