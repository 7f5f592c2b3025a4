// The one conformance suite: what any backend must do, whatever it runs on. A backend's test file names itself and its
// tolerances, each with a reason, and calls `backendConformance`; nothing about one backend is known here.

import { describe, expect, test } from "vitest";
import { GptOssError, UnsupportedError } from "../../base/index.ts";
import type { Backend, Tensor } from "../backend.ts";
import { attentionCases } from "./attention-cases.ts";
import { lifetimeCases } from "./lifetime-cases.ts";
import { moeCases } from "./moe-cases.ts";
import { relativeError } from "./oracle.ts";
import { refusalCases } from "./refusal-cases.ts";
import { rowCases } from "./row-cases.ts";
import type { Table } from "./samples.ts";

/** Largest error allowed, relative to the largest value of the row, and why it cannot be smaller. */
export interface Tolerance {
  readonly error: number;
  readonly reason: string;
}

export type Operation =
  | "embed"
  | "rmsNorm"
  | "linear"
  | "rope"
  | "attention"
  | "attentionInt8"
  | "moe"
  | "add";

export interface BackendConformance {
  readonly name: string;
  /** A new backend for each case; the suite closes it. */
  readonly create: () => Backend | Promise<Backend>;
  readonly tolerances: Readonly<Record<Operation, Tolerance>>;
  /** All, unless a second configuration of a backend can differ only in some. */
  readonly cases?: readonly Case[];
}

/** What a case works with. */
export interface Bench {
  readonly backend: Backend;
  /** A second backend of the same kind, for handles that do not belong. */
  readonly other: () => Promise<Backend>;
  /** Reads, compares within the operation's tolerance, and frees. */
  readonly expectClose: (operation: Operation, got: Tensor, want: Table) => Promise<void>;
}

export interface Case {
  readonly name: string;
  readonly run: (bench: Bench) => Promise<void>;
  /** The shape is unusual: a backend may refuse it with UnsupportedError, but not get it wrong. */
  readonly mayBeUnsupported?: boolean;
}

const allCases = (): Case[] => [
  ...rowCases,
  ...attentionCases,
  ...moeCases,
  ...lifetimeCases,
  ...refusalCases,
];

export function backendConformance({
  name,
  create,
  tolerances,
  cases = allCases(),
}: BackendConformance): void {
  describe(`backend conformance: ${name}`, () => {
    for (const { name, run, mayBeUnsupported = false } of cases) {
      test(name, async () => {
        const made: Backend[] = [];
        const fresh = async (): Promise<Backend> => {
          const backend = await create();
          made.push(backend);
          return backend;
        };
        const backend = await fresh();
        try {
          await run({ backend, other: fresh, expectClose: expectClose(backend, tolerances) });
        } catch (error) {
          if (!(mayBeUnsupported && UnsupportedError.isInstance(error))) throw error;
        } finally {
          for (const backend of made) await backend.close();
        }
        // The leak check: a closed backend holds nothing, whatever the case did.
        for (const backend of made) {
          expect(backend.usage()).toEqual({ tensors: 0, weights: 0, caches: 0, bytes: 0 });
        }
      });
    }
  });
}

function expectClose(backend: Backend, tolerances: BackendConformance["tolerances"]): Bench["expectClose"] {
  return async (operation, got, want) => {
    expect([got.rows, got.cols]).toEqual([want.rows, want.cols]);
    const error = relativeError(await backend.read(got), want);
    backend.free(got);
    const { error: allowed, reason } = tolerances[operation];
    expect(error, `${operation}: relative error, within ${allowed} because ${reason}`).toBeLessThanOrEqual(
      allowed,
    );
  };
}

/** Errors of enqueued work may surface as late as the next read. */
export async function expectRefused(
  backend: Backend,
  code: string,
  work: () => Tensor,
): Promise<GptOssError> {
  const outcome = await Promise.resolve()
    .then(async () => backend.read(work()))
    .catch((error: unknown) => error);
  if (!GptOssError.isInstance(outcome)) throw new Error(`${work}: expected ${code}, got ${String(outcome)}`);
  expect(outcome.code).toBe(code);
  return outcome;
}
