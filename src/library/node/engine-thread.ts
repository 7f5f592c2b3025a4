// The main module of an engine's own thread: loads what `loadInThread` asked for, says how that goes, then serves the
// engine on its port until the other side closes it. The thread ends by itself when nothing is left to do.

import { parentPort, workerData } from "node:worker_threads";
import { assert, errorToWire } from "../../base/index.ts";
import { serveEngine } from "../../engine/index.ts";
import { loadEngine } from "./load-engine.ts";
import type { FromThread, ThreadData } from "./load-in-thread.ts";

const parent = parentPort;
assert(parent !== null, "this is the main module of a worker thread");
const { port, options } = workerData as ThreadData;
const say = (message: FromThread): void => parent.postMessage(message);

const interrupt = new AbortController();
parent.once("message", () => interrupt.abort());
try {
  const { engine, info, close } = await loadEngine({
    ...options,
    signal: interrupt.signal,
    onProgress: (progress) => say({ type: "progress", progress }),
    onWarning: (text) => say({ type: "warning", text }),
  });
  parent.unref(); // a listener keeps a thread alive
  const served = serveEngine(engine, port);
  say({ type: "loaded", info });
  await served;
  await close();
} catch (error) {
  say({ type: "failed", error: errorToWire(error) });
  parent.unref();
  port.close();
}
