// Who owns what, for any backend: live handles with their storage, what was freed, and scopes of tensors.
// Knows neither arithmetic nor what a storage is (an array here, a pointer or a GPU buffer elsewhere).

import { GptOssError } from "../base/index.ts";
import type { Tensor } from "./backend.ts";

/** Handles of one kind, each with its storage. */
export interface Handles<H extends object, S> {
  readonly count: number;
  readonly bytes: number;
  /** `bytes` is what `usage` reports for it. Refused with `backend/freed` after `close`. */
  add(handle: H, storage: S, bytes: number): H;
  /** Throws `backend/freed` for a handle that was freed, `backend/foreign` for one that another backend made. */
  get(handle: H): S;
  has(handle: H): boolean;
  free(handle: H): void;
  /** Frees all; nothing can be added afterwards. */
  close(): void;
}

/** `release` is called once for each storage, when its handle is freed. */
export function createHandles<H extends object, S>(
  kind: string,
  release: (storage: S) => void = () => {},
): Handles<H, S> {
  const live = new Map<H, { readonly storage: S; readonly bytes: number }>();
  const freed = new WeakSet<H>();
  let bytes = 0;
  let isClosed = false;

  const entry = (handle: H): { readonly storage: S; readonly bytes: number } => {
    const found = live.get(handle);
    if (found !== undefined) return found;
    if (freed.has(handle)) {
      throw new GptOssError("backend/freed", {
        message: `this ${kind} was freed and cannot be used any more`,
      });
    }
    throw new GptOssError("backend/foreign", {
      message: `this ${kind} was not made by this backend`,
      hint: "tensors, weights and caches belong to the backend that made them",
    });
  };
  const free = (handle: H): void => {
    const found = entry(handle);
    live.delete(handle);
    freed.add(handle);
    bytes -= found.bytes;
    release(found.storage);
  };

  return {
    get count() {
      return live.size;
    },
    get bytes() {
      return bytes;
    },
    add(handle, storage, handleBytes) {
      if (isClosed) {
        release(storage);
        throw new GptOssError("backend/freed", { message: `no new ${kind}: the backend was closed` });
      }
      live.set(handle, { storage, bytes: handleBytes });
      bytes += handleBytes;
      return handle;
    },
    get: (handle) => entry(handle).storage,
    has: (handle) => live.has(handle),
    free,
    close() {
      isClosed = true;
      for (const handle of [...live.keys()]) free(handle);
    },
  };
}

/** Handles of tensors, and the scopes that own them. */
export interface Tensors<S> extends Omit<Handles<Tensor, S>, "add"> {
  add(rows: number, cols: number, storage: S, bytes: number): Tensor;
  /** `Backend.scope` */
  scope(work: () => Tensor): Tensor;
}

export function createTensors<S>(release?: (storage: S) => void): Tensors<S> {
  const handles = createHandles<Tensor, S>("tensor", release);
  const scopes: Set<Tensor>[] = [];

  const free = (tensor: Tensor): void => {
    handles.free(tensor);
    for (const owned of scopes) owned.delete(tensor);
  };
  const scope = (work: () => Tensor): Tensor => {
    const owned = new Set<Tensor>();
    scopes.push(owned);
    let result: Tensor | undefined;
    try {
      result = work();
      handles.get(result); // returning a freed tensor is found here, not at its next use
      return result;
    } finally {
      scopes.splice(scopes.indexOf(owned), 1);
      if (result !== undefined && owned.delete(result)) scopes.at(-1)?.add(result);
      for (const tensor of owned) handles.free(tensor);
    }
  };

  return {
    get count() {
      return handles.count;
    },
    get bytes() {
      return handles.bytes;
    },
    add(rows, cols, storage, bytes) {
      const tensor = handles.add(Object.freeze({ rows, cols }), storage, bytes);
      scopes.at(-1)?.add(tensor);
      return tensor;
    },
    get: handles.get,
    has: handles.has,
    free,
    close() {
      for (const owned of scopes) owned.clear();
      handles.close();
    },
    scope,
  };
}
