import { describe, expect, test } from "vitest";
import { createEventStream, type EventStream } from "./event-stream.ts";
import { collect } from "./testing/collect.ts";

function setUp(limit = 4): { stream: EventStream<number>; calls: string[] } {
  const calls: string[] = [];
  const stream = createEventStream<number>({
    limit,
    onStart: () => calls.push("start"),
    onRoom: () => calls.push("room"),
    onLeave: () => calls.push("leave"),
  });
  return { stream, calls };
}

test("nothing starts before the first read, and it starts once", async () => {
  const { stream, calls } = setUp();
  expect(calls).toEqual([]);
  const reads = [stream.next(), stream.next()];
  expect(calls).toEqual(["start"]);
  stream.push(1);
  stream.push(2);
  expect(await Promise.all(reads)).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
  ]);
});

test("values come in order, then the end", async () => {
  const { stream } = setUp(100);
  const reading = collect(stream);
  for (let i = 0; i < 10; i++) stream.push(i);
  stream.end();
  expect(await reading).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

test("a consumer that does not read is noticed, and has room again when it has read half", async () => {
  const { stream, calls } = setUp(4);
  void stream.next();
  for (let i = 0; i < 4; i++) stream.push(i);
  expect(stream.isFull).toBe(false);
  stream.push(4);
  expect(stream.isFull).toBe(true);
  await stream.next();
  expect([stream.isFull, calls]).toEqual([true, ["start"]]);
  await stream.next();
  expect([stream.isFull, calls]).toEqual([false, ["start", "room"]]);
});

describe("leaving", () => {
  test("a consumer that leaves while it waits is let go at once", async () => {
    const { stream, calls } = setUp();
    const pending = stream.next();
    await stream.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(calls).toEqual(["start", "leave"]);
    stream.push(1);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("leaving a loop early counts, leaving after the end or before the start does not", async () => {
    const early = setUp();
    queueMicrotask(() => early.stream.push(1));
    for await (const _ of early.stream) break;
    expect(early.calls).toEqual(["start", "leave"]);

    const late = setUp();
    queueMicrotask(() => late.stream.end());
    await collect(late.stream);
    await late.stream.return?.();
    expect(late.calls).toEqual(["start"]);

    const never = setUp();
    await never.stream.return?.();
    expect(await never.stream.next()).toEqual({ done: true, value: undefined });
    expect(never.calls).toEqual([]);
  });
});

describe("errors", () => {
  test("come after the values that were pushed, once", async () => {
    const { stream } = setUp();
    const first = stream.next();
    stream.push(1);
    stream.push(2);
    stream.fail(new Error("broken"));
    expect((await first).value).toBe(1);
    expect((await stream.next()).value).toBe(2);
    await expect(stream.next()).rejects.toThrow("broken");
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("reach a consumer that waits, and only one of its reads", async () => {
    const { stream } = setUp();
    const reads = [stream.next(), stream.next()];
    stream.fail(new Error("broken"));
    await expect(reads[0]).rejects.toThrow("broken");
    expect(await reads[1]).toEqual({ done: true, value: undefined });
  });

  test("of the start are those of the first read", async () => {
    const stream = createEventStream({
      limit: 1,
      onStart: () => {
        throw new Error("refused");
      },
      onRoom() {},
      onLeave: () => expect.unreachable("it never started"),
    });
    await expect(collect(stream)).rejects.toThrow("refused");
  });
});
