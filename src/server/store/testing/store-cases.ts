// What every store does, run over each of them: by a case for each promise of store.ts, and by random programs whose
// answers must be those of the store in memory.

import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createMemoryStore, type MemoryStoreOptions } from "../memory-store.ts";
import type { ResponseStore, StoredItem, StoredResponse, StoredStatus } from "../store.ts";

export interface StoreUnderTest {
  readonly name: string;
  /** A store with nothing in it. */
  readonly fresh: (options?: MemoryStoreOptions) => Promise<ResponseStore>;
  /** Another store over what the last fresh one keeps, as another process would open it; absent in memory. */
  readonly again?: (options?: MemoryStoreOptions) => Promise<ResponseStore>;
  /** Programs to try. */
  readonly runs: number;
}

const item = (id: string, text = "said"): StoredItem & { readonly text: string } => ({ id, text });

export const response = (id: string, parts: Partial<StoredResponse> = {}): StoredResponse => ({
  id,
  createdAt: 1_800_000_000_000,
  status: "completed",
  input: [item(`in_${id}`)],
  output: [item(`out_${id}`)],
  body: { about: id },
  ...parts,
});

const events = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ sequence_number: from + index, delta: `d${from + index}` }));

/** Strings that databases, files and URLs stumble over. */
const oddIds = [
  "",
  " ",
  "nul\u0000inside",
  "\u0000",
  "\ud800 half a surrogate",
  "\udc00",
  "😀",
  "e\u0301",
  "é",
  "'; drop table gpt_oss_responses; --",
  '"quoted"',
  "../../etc/passwd",
  "%00%2f",
  "$1",
  "?1",
  "__proto__",
  "x".repeat(10_000),
  "line\nbreak",
  "\ufeffbom",
];

export function storeCases({ name, fresh, again, runs }: StoreUnderTest): void {
  describe(name, () => {
    const opened: ResponseStore[] = [];
    const keep = (store: ResponseStore): ResponseStore => {
      opened.push(store);
      return store;
    };
    const open = async (options?: MemoryStoreOptions) => keep(await fresh(options));
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
    });

    test("a response comes back as it was put, also with odd texts in it", async () => {
      const store = await open();
      const odd = response("resp_1", {
        input: oddIds.map((text, index) => item(`in_${index}`, text)),
        body: { text: oddIds.join("|"), nested: { number: 1e-300, list: [null, true] } },
      });
      expect(await store.put(odd)).toBe(true);
      expect(await store.of().get("resp_1")).toEqual(odd);
      expect(await store.of().get("resp_2")).toBeUndefined();
    });

    test("what is changed after it was put, or after it was got, changes nothing in the store", async () => {
      const store = await open();
      const body = { list: [1] };
      await store.put(response("a", { body }));
      body.list.push(2);
      const got = await store.of().get("a");
      (got!.body as typeof body).list.push(3);
      expect((await store.of().get("a"))?.body).toEqual({ list: [1] });
    });

    test("ids with any characters are told apart", async () => {
      const store = await open();
      for (const id of oddIds) await store.put(response(id, { output: [item(id)] }));
      for (const id of oddIds) {
        expect((await store.of().get(id))?.id).toBe(id);
        expect((await store.of().findItem(id))?.id).toBe(id);
        expect(await store.of().delete(id)).toBe(true);
        expect(await store.of().get(id)).toBeUndefined();
        expect(await store.of().events(id, -1)).toEqual([]);
        expect(await store.of().requestCancel(id)).toBe(false);
      }
    });

    test("an item is found by its id: the one put last, and none that its response no longer holds", async () => {
      const store = await open();
      await store.put(response("a", { input: [item("shared", "first")], output: [item("x")] }));
      await store.put(response("b", { input: [item("shared", "second")], output: [] }));
      expect(await store.of().findItem("shared")).toEqual(item("shared", "second"));
      await store.of().delete("b");
      expect(await store.of().findItem("shared")).toEqual(item("shared", "first"));
      await store.put(response("a", { input: [], output: [] }));
      expect(await store.of().findItem("shared")).toBeUndefined();
      expect(await store.of().findItem("x")).toBeUndefined();
    });

    test("what one key made is not there for another, nor without a key, and the other way round", async () => {
      const store = await open();
      const callers = [undefined, "alice", "bob"];
      for (const keyName of callers) {
        const made = { ...(keyName !== undefined && { keyName }), status: "in_progress" } as const;
        await store.put(response(`of ${keyName}`, made));
        await store.appendEvents(`of ${keyName}`, events(0, 2));
      }
      for (const owner of callers) {
        const id = `of ${owner}`;
        for (const other of callers.filter((name) => name !== owner)) {
          const theirs = store.of(other);
          expect(await theirs.get(id)).toBeUndefined();
          expect(await theirs.findItem(`out_${id}`)).toBeUndefined();
          expect(await theirs.events(id, -1)).toEqual([]);
          expect(await theirs.requestCancel(id)).toBe(false);
          expect(await theirs.delete(id)).toBe(false);
        }
        const own = store.of(owner);
        expect((await own.get(id))?.keyName).toBe(owner);
        expect(await own.findItem(`out_${id}`)).toEqual(item(`out_${id}`));
        expect(await own.events(id, -1)).toEqual(events(0, 2));
        expect(await own.requestCancel(id)).toBe(true);
        expect(await own.delete(id)).toBe(true);
      }
    });

    test("an item's id that somebody else also used still leads to one's own", async () => {
      const store = await open();
      await store.put(response("a", { keyName: "alice", output: [item("shared", "alice's")] }));
      await store.put(response("b", { keyName: "bob", input: [item("shared", "bob's")] }));
      expect(await store.of("alice").findItem("shared")).toEqual(item("shared", "alice's"));
      expect(await store.of("bob").findItem("shared")).toEqual(item("shared", "bob's"));
    });

    test("what is deleted is gone with its items and events", async () => {
      const store = await open();
      await store.put(response("a", { status: "in_progress" }));
      await store.appendEvents("a", events(0, 3));
      expect(await store.of().delete("a")).toBe(true);
      expect(await store.of().delete("a")).toBe(false);
      expect(await store.of().get("a")).toBeUndefined();
      expect(await store.of().findItem("out_a")).toBeUndefined();
      expect(await store.of().events("a", -1)).toEqual([]);
      await store.appendEvents("a", events(3, 1));
      expect(await store.of().events("a", -1)).toEqual([]);
    });

    test("a response that is deleted while it runs does not come back when it ends", async () => {
      const store = await open();
      await store.put(response("a", { status: "queued" }));
      await store.put(response("a", { status: "in_progress" }));
      await store.of().delete("a");
      expect(await store.put(response("a", { status: "completed" }))).toBe(false);
      expect(await store.of().get("a")).toBeUndefined();
    });

    test("what has ended does not run again", async () => {
      const store = await open();
      await store.put(response("a", { status: "in_progress" }));
      await store.put(response("a", { status: "cancelled" }));
      expect(await store.put(response("a", { status: "in_progress", output: [item("late")] }))).toBe(false);
      expect((await store.of().get("a"))?.status).toBe("cancelled");
      expect(await store.of().findItem("late")).toBeUndefined();
      expect(await store.of().findItem("out_a")).toBeDefined();
    });

    test("events come back in order, after the one asked for", async () => {
      const store = await open();
      await store.put(response("a", { status: "in_progress" }));
      await store.appendEvents("a", events(0, 5));
      await store.appendEvents("a", []);
      await store.appendEvents("a", events(5, 1));
      await store.appendEvents("a", events(6, 2000));
      await store.put(response("a"));
      expect(await store.of().events("a", -1)).toEqual(events(0, 1000));
      expect(await store.of().events("a", 3, 4)).toEqual(events(4, 4));
      expect(await store.of().events("a", 2004)).toEqual(events(2005, 1));
      expect(await store.of().events("a", 2005)).toEqual([]);
      expect(await store.of().events("b", -1)).toEqual([]);
    });

    test("a response with 5 MB of items is kept whole, and its items are found", async () => {
      const store = await open();
      const big = "wörds ".repeat(140_000);
      const items = Array.from({ length: 6 }, (_, index) => item(`big_${index}`, big));
      await store.put(response("a", { output: items }));
      expect(await store.of().get("a")).toEqual(response("a", { output: items }));
      expect(await store.of().findItem("big_5")).toEqual(item("big_5", big));
    });

    test("no more than so many responses, the oldest put goes first", async () => {
      const store = await open({ limits: { maxResponses: 3 } });
      for (const id of ["a", "b", "c"]) await store.put(response(id));
      await store.put(response("a"));
      await store.put(response("d"));
      const kept = await Promise.all(["a", "b", "c", "d"].map((id) => store.of().get(id)));
      expect(kept.map((found) => found?.id)).toEqual(["a", undefined, "c", "d"]);
      expect(await store.of().findItem("out_b")).toBeUndefined();
    });

    test("no more than so many bytes, events included", async () => {
      const text = "x".repeat(1000);
      const store = await open({ limits: { maxBytes: 5000 } });
      for (const id of ["a", "b", "c"]) await store.put(response(id, { body: text }));
      expect(await store.of().get("a")).toBeDefined();
      await store.put(response("d", { body: text }));
      await store.put(response("e", { body: text }));
      expect(await store.of().get("a")).toBeUndefined();
      expect(await store.of().get("e")).toBeDefined();
      await store.put(response("f", { status: "in_progress" }));
      await store.appendEvents("f", [{ sequence_number: 0, text: text.repeat(4) } as never]);
      await store.put(response("f"));
      expect(await store.of().get("e")).toBeUndefined();
      expect(await store.of().get("f")).toBeDefined();
    });

    test("a response larger than the whole store is refused with a code, and nothing else goes", async () => {
      const store = await open({ limits: { maxBytes: 5000 } });
      await store.put(response("a"));
      await expect(store.put(response("b", { body: "x".repeat(6000) }))).rejects.toMatchObject({
        code: "server/store-full",
      });
      expect(await store.of().get("a")).toBeDefined();
      expect(await store.of().get("b")).toBeUndefined();
    });

    test("nothing older than the limit is given out, and a sweep removes it", async () => {
      let time = 1_800_000_000_000;
      const store = await open({ limits: { maxAgeMs: 1000 }, now: () => time });
      await store.put(response("a"));
      await store.put(response("runs", { status: "in_progress" }));
      time += 1001;
      expect(await store.of().get("a")).toBeUndefined();
      expect(await store.of().findItem("out_a")).toBeUndefined();
      expect(await store.of().delete("a")).toBe(false);
      expect(await store.of().get("runs")).toBeDefined();
      expect(await store.sweep()).toBe(1);
      expect(await store.sweep()).toBe(0);
    });

    test("what runs is never dropped for what has ended", async () => {
      const store = await open({ limits: { maxResponses: 2 } });
      await store.put(response("runs", { status: "in_progress" }));
      for (const id of ["a", "b", "c"]) await store.put(response(id));
      expect(await store.of().get("runs")).toBeDefined();
      expect(await store.of().get("b")).toBeUndefined();
      expect(await store.of().get("c")).toBeDefined();
    });

    test("a cancellation reaches the one who listens, for what runs only", async () => {
      const store = await open();
      const heard: string[] = [];
      const stop = store.watch({ abandoned: () => {}, cancelled: (id) => heard.push(id) });
      await store.put(response("a", { status: "in_progress" }));
      await store.put(response("b"));
      expect(await store.of().requestCancel("a")).toBe(true);
      expect(await store.of().requestCancel("b")).toBe(false);
      expect(await store.of().requestCancel("c")).toBe(false);
      await expect.poll(() => heard).toEqual(["a"]);
      stop();
      await store.put(response("d", { status: "queued" }));
      await store.of().requestCancel("d");
      expect(heard).toEqual(["a"]);
    });

    test("many writers at once lose nothing", async () => {
      const store = await open();
      await Promise.all(
        Array.from({ length: 40 }, async (_, index) => {
          const id = `resp_${index}`;
          await store.put(response(id, { status: "in_progress" }));
          await store.appendEvents(id, events(0, 3));
          await store.appendEvents(id, events(3, 3));
          await store.put(response(id));
        }),
      );
      for (let index = 0; index < 40; index++) {
        expect(await store.of().get(`resp_${index}`)).toEqual(response(`resp_${index}`));
        expect(await store.of().events(`resp_${index}`, -1)).toEqual(events(0, 6));
      }
    });

    test("a closed store says so", async () => {
      const store = await open();
      await store.put(response("a"));
      await store.close();
      await store.close();
      for (const work of [
        store.of().get("a"),
        store.put(response("b")),
        store.sweep(),
        store.of().delete("a"),
      ]) {
        await expect(work).rejects.toMatchObject({ code: "server/store-closed" });
      }
    });

    test("limits that make no sense are refused", async () => {
      await expect((async () => fresh({ limits: { maxBytes: 0 } }))()).rejects.toMatchObject({
        code: "server/bad-store",
      });
    });

    test("any program gets the answers of the store in memory", async () => {
      const limits = { maxResponses: 5, maxBytes: 2000, maxAgeMs: 40 };
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (program) => {
          let time = 1_800_000_000_000;
          const options = { limits, now: () => time };
          const stores = [await fresh(options), createMemoryStore(options)];
          for (const next of program) {
            time++;
            const [answer, expected] = await Promise.all(stores.map((store) => perform(store, next)));
            expect(answer).toEqual(expected);
          }
          await Promise.all(stores.map((store) => store.close()));
        }),
        { numRuns: runs, seed: 4 },
      );
    });

    if (again) severalProcesses(open, async (options) => keep(await again(options)));
  });
}

type Open = (options?: MemoryStoreOptions) => Promise<ResponseStore>;

function severalProcesses(open: Open, again: Open): void {
  test("what one process put, another retrieves, continues from and deletes", async () => {
    const [one, two] = [await open(), await again()];
    await one.put(response("a"));
    expect(await two.of().get("a")).toEqual(response("a"));
    expect(await two.of().findItem("out_a")).toEqual(item("out_a"));
    expect(await two.of().delete("a")).toBe(true);
    expect(await one.of().get("a")).toBeUndefined();
  });

  test("events of a response that runs in one process are followed in another", async () => {
    const [one, two] = [await open(), await again()];
    await one.put(response("a", { status: "in_progress" }));
    await one.appendEvents("a", events(0, 2));
    expect(await two.of().events("a", -1)).toEqual(events(0, 2));
    await one.appendEvents("a", events(2, 2));
    await one.put(response("a"));
    expect(await two.of().events("a", 1)).toEqual(events(2, 2));
    expect((await two.of().get("a"))?.status).toBe("completed");
  });

  test("a response is cancelled from another process within about a second", async () => {
    const [one, two] = [await open(), await again()];
    const heard: string[] = [];
    one.watch({ abandoned: () => {}, cancelled: (id) => heard.push(id) });
    two.watch({ abandoned: () => {}, cancelled: () => heard.push("not mine") });
    await one.put(response("a\u0000", { status: "in_progress" }));
    expect(await two.of().requestCancel("a\u0000")).toBe(true);
    await expect.poll(() => heard).toEqual(["a\u0000"]);
  });

  test("deleted in another process while it runs, a response does not come back", async () => {
    const [one, two] = [await open(), await again()];
    await one.put(response("a", { status: "in_progress" }));
    await two.of().delete("a");
    await one.appendEvents("a", events(0, 1));
    expect(await one.put(response("a"))).toBe(false);
    expect(await two.of().get("a")).toBeUndefined();
  });

  test("what a process left running is handed to exactly one other, and what lives is left alone", async () => {
    const [one, two, three] = [await open(), await again(), await again()];
    await one.put(response("left", { status: "in_progress" }));
    await two.put(response("lives", { status: "queued" }));
    await one.put(response("ended"));
    await one.close();
    const heard: StoredResponse[] = [];
    const fail = (store: ResponseStore) => async (found: StoredResponse) => {
      heard.push(found);
      await store.put({ ...found, status: "failed" });
    };
    for (const store of [two, three]) store.watch({ abandoned: fail(store), cancelled: () => {} });
    await expect.poll(async () => (await two.of().get("left"))?.status).toBe("failed");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(heard).toEqual([response("left", { status: "in_progress" })]);
    expect((await three.of().get("lives"))?.status).toBe("queued");
    expect((await three.of().get("ended"))?.status).toBe("completed");
  });

  test("several processes put at once", async () => {
    const stores = [await open(), await again(), await again()];
    const ids = Array.from({ length: 30 }, (_, index) => `resp_${index}`);
    await Promise.all(ids.map((id, index) => stores[index % 3].put(response(id))));
    for (const [index, id] of ids.entries()) {
      expect(await stores[(index + 1) % 3].of().get(id)).toEqual(response(id));
    }
  });
}

type Step =
  | {
      do: "put";
      id: string;
      keyName: string | undefined;
      status: StoredStatus;
      items: readonly string[];
      padding: number;
    }
  | { do: "get" | "delete" | "findItem" | "requestCancel"; id: string; keyName: string | undefined }
  | { do: "appendEvents"; id: string; count: number }
  | { do: "events"; id: string; after: number; limit: number }
  | { do: "sweep" };

const someId = fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "\u0000", '"', "\ud800");
const someKey = fc.constantFrom(undefined, undefined, "alice");
const status = fc.constantFrom<StoredStatus>("queued", "in_progress", "completed", "failed", "cancelled");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      id: someId,
      keyName: someKey,
      status,
      items: fc.uniqueArray(someId, { maxLength: 3 }),
      padding: fc.integer({ min: 0, max: 900 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("get" as const, "delete" as const, "findItem" as const, "requestCancel" as const),
      id: someId,
      keyName: someKey,
    }),
  },
  fc.record({ do: fc.constant("appendEvents" as const), id: someId, count: fc.integer({ min: 0, max: 4 }) }),
  fc.record({
    do: fc.constant("events" as const),
    id: someId,
    after: fc.integer({ min: -1, max: 8 }),
    limit: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({ do: fc.constant("sweep" as const) }),
);

async function perform(store: ResponseStore, next: Step): Promise<unknown> {
  switch (next.do) {
    case "put": {
      const { id, keyName, items, padding } = next;
      const output = items.map((itemId) => item(itemId, `of ${id}`));
      const parts = { status: next.status, input: [], output, body: "x".repeat(padding) };
      return store.put(response(id, { ...parts, ...(keyName !== undefined && { keyName }) }));
    }
    case "appendEvents": {
      const held = await store.of().events(next.id, -1);
      return store.appendEvents(next.id, events((held.at(-1)?.sequence_number ?? -1) + 1, next.count));
    }
    case "events":
      return store.of().events(next.id, next.after, next.limit);
    case "sweep":
      return store.sweep();
    default:
      return store.of(next.keyName)[next.do](next.id);
  }
}
