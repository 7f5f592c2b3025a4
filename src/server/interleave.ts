// Several streams as one, each value with the number of its stream, in the order in which they come.

export interface Interleaved<T> {
  readonly index: number;
  readonly value: T;
}

/** Ends all of them when one throws, or when the reader leaves. */
export async function* interleave<T>(
  sources: readonly AsyncIterable<T>[],
): AsyncGenerator<Interleaved<T>, void> {
  if (sources.length === 1) {
    for await (const value of sources[0]) yield { index: 0, value };
    return;
  }
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const next = async (index: number) => ({ index, result: await iterators[index].next() });
  const pending = new Map(iterators.map((_, index) => [index, next(index)]));
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(index);
        continue;
      }
      yield { index, value: result.value };
      pending.set(index, next(index));
    }
  } finally {
    for (const rest of pending.values()) rest.catch(() => {}); // nobody reads them any more
    // Not one after another: one that waits for a token must not keep the others running.
    await Promise.allSettled(iterators.map((iterator) => iterator.return?.()));
  }
}
