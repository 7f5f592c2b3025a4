/** A binary heap of numbers in an array of fixed capacity; the smallest comes first. */
export interface MinHeap {
  clear(): void;
  push(value: number): void;
  /** Removes and returns the smallest; undefined when empty. */
  pop(): number | undefined;
}

export function minHeap(capacity: number): MinHeap {
  const values = new Float64Array(capacity);
  let size = 0;

  const clear = (): void => {
    size = 0;
  };

  const push = (value: number): void => {
    let child = size++;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (values[parent] <= value) break;
      values[child] = values[parent];
      child = parent;
    }
    values[child] = value;
  };

  const pop = (): number | undefined => {
    if (size === 0) return undefined;
    const smallest = values[0];
    const last = values[--size];
    let parent = 0;
    for (let child = 1; child < size; child = 2 * parent + 1) {
      if (child + 1 < size && values[child + 1] < values[child]) child++;
      if (values[child] >= last) break;
      values[parent] = values[child];
      parent = child;
    }
    values[parent] = last;
    return smallest;
  };

  return { clear, push, pop };
}
