// Operations as 32-bit words, so that a token's hundreds of them cross to C++ in a few calls.
// The layouts are those of native/runtime/commands.h; the two change together.

export const op = {
  embed: 1,
  rmsNorm: 2,
  linear: 3,
  rope: 4,
  attention: 5,
  moe: 6,
  add: 7,
  gather: 8,
  free: 9,
  freeCache: 10,
} as const;

export interface Commands {
  /** Starts a command; its arguments follow, in order. */
  begin(code: number): void;
  int(value: number): void;
  float(value: number): void;
  ints(values: Int32Array): void;
  floats(values: Float32Array): void;
  end(): void;
  /** Sends what was written. Happens by itself after a few commands, and when the current task of JavaScript is done. */
  flush(): void;
}

/** So many commands are sent together: few calls, but the first ones run while the next ones are written. */
const commandsPerFlush = 16;
const firstCapacity = 4096;

/** `submit` must copy the words. */
export function createCommands(submit: (words: Int32Array, count: number) => void): Commands {
  let ints = new Int32Array(firstCapacity);
  let floats = new Float32Array(ints.buffer);
  let length = 0;
  let start = 0; // of the command being written
  let commands = 0;
  let isScheduled = false;

  const reserve = (count: number): void => {
    if (length + count <= ints.length) return;
    const larger = new Int32Array(Math.max(2 * ints.length, length + count));
    larger.set(ints.subarray(0, length));
    ints = larger;
    floats = new Float32Array(larger.buffer);
  };
  const flush = (): void => {
    if (length === 0) return;
    const count = length;
    length = 0;
    commands = 0;
    submit(ints, count);
  };
  const flushLater = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      flush();
    });
  };

  return {
    begin(code) {
      reserve(2);
      start = length;
      ints[length] = code;
      length += 2;
    },
    int(value) {
      reserve(1);
      ints[length++] = value;
    },
    float(value) {
      reserve(1);
      floats[length++] = value;
    },
    ints(values) {
      reserve(values.length);
      ints.set(values, length);
      length += values.length;
    },
    floats(values) {
      reserve(values.length);
      floats.set(values, length);
      length += values.length;
    },
    end() {
      ints[start + 1] = length - start - 2;
      commands += 1;
      if (commands >= commandsPerFlush) flush();
      else flushLater();
    },
    flush,
  };
}
