// Follows a text through a network, byte by byte. All readings that are still possible are followed together: a
// configuration is the set of them, each a place in a stretch of text and what is to be returned to. Readings that
// call the same rule at the same place share the call (Scott and Johnstone 2010, GLL parsing), so their number stays
// near the size of the grammar. Configurations are immutable and equal ones are one object; steps between them are
// remembered: a deterministic machine that is built as it is used.

import { assert } from "../../base/index.ts";
import type { ByteClasses, ByteClassTables } from "./byte-classes.ts";
import type { Work } from "./expression/work.ts";
import type { Lexeme, Lexemes } from "./lexeme.ts";
import type { Network } from "./network.ts";

/** Where a rule returns to, once for each call that it serves. */
interface Frame {
  readonly id: number;
  readonly returns: readonly Return[];
}

interface Return {
  readonly to: number;
  readonly frame: Frame;
}

/** One reading: inside a stretch of text, after which comes `to`. */
interface Thread {
  readonly lexeme: Lexeme;
  readonly to: number;
  readonly frame: Frame;
}

export interface Configuration {
  readonly id: number;
  readonly threads: readonly Thread[];
  /** The text may end here. */
  readonly isComplete: boolean;
  readonly classes: ByteClasses;
  /** By class of bytes. */
  next: (Configuration | null | undefined)[] | undefined;
}

export interface PlainRun {
  readonly length: number;
  /** And not one more of them. */
  readonly isExact: boolean;
}

export interface Matcher {
  readonly start: Configuration;
  /** `undefined`: no text of the grammar goes on with this byte. */
  step(configuration: Configuration, byte: number): Configuration | undefined;
  /** Of plain characters inside a JSON string, so many may follow, whichever they are. */
  plainRun(configuration: Configuration): PlainRun;
  /** Forgets steps once they have become many; what is still in use goes on to work. */
  sweep(): void;
}

/** A call during one step, to which later readings may still add themselves. */
interface Call {
  readonly rule: number;
  readonly returns: Map<string, { readonly to: number; readonly frame: Frame | Call }>;
  frame: Frame | undefined;
}

const isCall = (frame: Frame | Call): frame is Call => "rule" in frame;

/** Instead of a state: the whole text is read. */
const textEnd = -1;
const maxKept = 50_000;

export interface MatcherParts {
  readonly lexemes: Lexemes;
  readonly tables: ByteClassTables;
  readonly work: Work;
}

export function createMatcher(network: Network, { lexemes, tables, work }: MatcherParts): Matcher {
  const { rules, edges, isEnd } = network;
  const configurations = new Map<string, Configuration>();
  const frames = new Map<string, Frame>();
  let nextId = 0;
  const noBytes = tables.from(() => 0);
  const ended: Configuration = {
    id: nextId++,
    threads: [],
    isComplete: true,
    classes: noBytes,
    next: undefined,
  };

  function frameOf(returns: readonly Return[]): Frame {
    const sorted = [...returns].sort((a, b) => a.to - b.to || a.frame.id - b.frame.id);
    const key = sorted.map(({ to, frame }) => `${to} ${frame.id}`).join();
    let frame = frames.get(key);
    if (frame === undefined) frames.set(key, (frame = { id: nextId++, returns: sorted }));
    return frame;
  }

  /** A frame for what was a call; its callers' first. Calls cannot form a circle, because text comes before each. */
  function settle(frame: Frame | Call): Frame {
    if (!isCall(frame)) return frame;
    return (frame.frame ??= frameOf(
      [...frame.returns.values()].map(({ to, frame: outer }) => ({ to, frame: settle(outer) })),
    ));
  }

  const idOf = (frame: Frame | Call): string => (isCall(frame) ? `c${frame.rule}` : `${frame.id}`);

  /** What may come at these places, and whether the text may end. */
  function openAt(places: readonly Return[], into: Thread[]): boolean {
    const calls = new Map<number, Call>();
    const seen = new Set<string>();
    const pending: { readonly to: number; readonly frame: Frame | Call }[] = [];
    const found: { readonly lexeme: Lexeme; readonly to: number; readonly frame: Frame | Call }[] = [];
    let isComplete = false;
    const visit = (to: number, frame: Frame | Call): void => {
      const key = `${to} ${idOf(frame)}`;
      if (seen.has(key)) return;
      seen.add(key);
      work.spend(1);
      if (to === textEnd) isComplete = true;
      else pending.push({ to, frame });
    };
    for (const { to, frame } of places) visit(to, frame);
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      const { to: at, frame } = place;
      if (isEnd[at]) {
        assert(!isCall(frame), "a rule of a grammar matched nothing");
        for (const outer of frame.returns) visit(outer.to, outer.frame);
      }
      for (const edge of edges[at]) {
        if (edge.kind === "empty") visit(edge.to, frame);
        else if (edge.kind === "text") {
          if (edge.lexeme.continues) found.push({ lexeme: edge.lexeme, to: edge.to, frame });
          if (edge.lexeme.accepts) visit(edge.to, frame);
        } else {
          const call = calls.get(edge.rule);
          const returns = call?.returns ?? new Map();
          returns.set(`${edge.to} ${idOf(frame)}`, { to: edge.to, frame });
          if (call !== undefined) continue;
          const made: Call = { rule: edge.rule, returns, frame: undefined };
          calls.set(edge.rule, made);
          visit(rules[edge.rule].start, made);
        }
      }
    }
    for (const { lexeme, to, frame } of found) into.push({ lexeme, to, frame: settle(frame) });
    return isComplete;
  }

  function configurationOf(threads: readonly Thread[], isComplete: boolean): Configuration | null {
    if (threads.length === 0) return isComplete ? ended : null;
    if (threads.length === 1) return interned(`${isComplete} ${threadKey(threads[0])}`, threads, isComplete);
    const byKey = new Map(threads.map((thread) => [threadKey(thread), thread]));
    const keys = [...byKey.keys()].sort();
    work.spend(keys.length);
    const distinct = keys.length === threads.length ? threads : [...byKey.values()];
    return interned(`${isComplete} ${keys.join(";")}`, distinct, isComplete);
  }

  function interned(key: string, threads: readonly Thread[], isComplete: boolean): Configuration {
    let made = configurations.get(key);
    if (made === undefined) {
      const classes = tables.combine(threads.map(({ lexeme }) => lexeme.classes));
      made = { id: nextId++, threads, isComplete, classes, next: undefined };
      configurations.set(key, made);
    }
    return made;
  }

  function computeStep({ threads }: Configuration, byte: number): Configuration | null {
    const stepped: Thread[] = [];
    const ended: Return[] = [];
    for (const { lexeme, to, frame } of threads) {
      const next = lexemes.step(lexeme, byte);
      work.spend(1);
      if (next === undefined) continue;
      if (next.continues) stepped.push({ lexeme: next, to, frame });
      if (next.accepts) ended.push({ to, frame });
    }
    const isComplete = ended.length > 0 && openAt(ended, stepped);
    return configurationOf(stepped, isComplete);
  }

  const begin = (): Configuration => {
    const threads: Thread[] = [];
    const outermost = frameOf([{ to: textEnd, frame: { id: textEnd, returns: [] } }]);
    const isComplete = openAt([{ to: rules[0].start, frame: outermost }], threads);
    const start = configurationOf(threads, isComplete);
    assert(start !== null, "a grammar without texts was not refused");
    return start;
  };

  return {
    start: begin(),
    step(configuration, byte) {
      const next = (configuration.next ??= []);
      const at = configuration.classes.of[byte];
      let to = next[at];
      if (to === undefined) next[at] = to = computeStep(configuration, byte);
      return to ?? undefined;
    },
    plainRun: ({ threads }) => ({
      length: threads.reduce((run, { lexeme }) => Math.max(run, lexeme.plainRun), 0),
      isExact: threads.every(({ lexeme }) => lexeme.plainRun > 0),
    }),
    sweep() {
      if (configurations.size < maxKept) return;
      for (const configuration of configurations.values()) configuration.next = undefined;
      configurations.clear();
      frames.clear();
      lexemes.sweep();
    },
  };
}

function threadKey({ lexeme, to, frame }: Thread): string {
  return `${lexeme.id},${to},${frame.id}`;
}
