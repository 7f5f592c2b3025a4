/** `read(0)`, `read(1)`, … in order; each is under way while whoever takes them works on the one before. */
export async function* readAhead<T>(count: number, read: (index: number) => Promise<T>): AsyncGenerator<T> {
  let next = count > 0 ? read(0) : undefined;
  for (let index = 1; next !== undefined; index++) {
    const current = await next;
    next = index < count ? read(index) : undefined;
    next?.catch(() => {}); // seen when it is awaited, unless nobody asks for more
    yield current;
  }
}
