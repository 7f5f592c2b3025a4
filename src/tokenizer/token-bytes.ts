/** The bytes of every token, one token after another. */
export interface TokenBytes {
  /** Ids are below this. */
  readonly size: number;
  readonly blob: Uint8Array;
  /** [size + 1]; token `id` is `blob[offsets[id], offsets[id + 1])`, empty where no token has this id. */
  readonly offsets: Uint32Array;
}

/** Lays out tokens; holes in `tokens` become ids without a token. */
export function tokenBytes(tokens: readonly (Uint8Array | undefined)[]): TokenBytes {
  const size = tokens.length;
  const offsets = new Uint32Array(size + 1);
  for (let id = 0; id < size; id++) offsets[id + 1] = offsets[id] + (tokens[id]?.length ?? 0);
  const blob = new Uint8Array(offsets[size]);
  for (let id = 0; id < size; id++) {
    const bytes = tokens[id];
    if (bytes) blob.set(bytes, offsets[id]);
  }
  return { size, blob, offsets };
}
