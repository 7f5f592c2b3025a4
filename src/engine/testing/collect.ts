import type { GenerateEvent } from "../engine.ts";

/** All values of a stream. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

/** The tokens of a request's events. */
export function tokensOf(events: readonly GenerateEvent[]): number[] {
  return events.flatMap((event) => (event.type === "token" ? [event.token] : []));
}
