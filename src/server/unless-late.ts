export const late = Symbol("late");

/** What `work` gives, or `late` when it takes longer; it goes on then, and the caller sees to what it still rejects with. */
export async function unlessLate<T>(work: Promise<T>, ms: number): Promise<T | typeof late> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<typeof late>((resolve) => {
    timer = setTimeout(resolve, ms, late);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
