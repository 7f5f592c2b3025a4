// Bytes of several downloads together, as progress for people: the rate of the last seconds, not since the start.

export interface TransferProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft: number;
}

export interface TransferMeter {
  /** Bytes that were won, or with a minus lost again. */
  add(change: number): void;
}

const windowMs = 5_000;
const reportEveryMs = 200;

export function createTransferMeter(
  { bytes: start, totalBytes }: { readonly bytes: number; readonly totalBytes: number },
  onProgress: ((progress: TransferProgress) => void) | undefined,
): TransferMeter {
  let bytes = start;
  const samples = [{ at: performance.now(), bytes }];
  return {
    add(change) {
      bytes += change;
      const now = performance.now();
      const last = samples[samples.length - 1];
      if (now - last.at < reportEveryMs && bytes < totalBytes) return;
      samples.push({ at: now, bytes });
      while (samples.length > 2 && now - samples[1].at > windowMs) samples.shift();
      const [first] = samples;
      const bytesPerSecond = Math.max(0, bytes - first.bytes) / Math.max((now - first.at) / 1000, 1e-3);
      onProgress?.({ bytes, totalBytes, bytesPerSecond, secondsLeft: (totalBytes - bytes) / bytesPerSecond });
    },
  };
}
