// Fetching a model with a person looking on: what it needs first, then rate and time left. For `pull`, and for `chat`
// when the model that is asked for is not here.

import { createInterface } from "node:readline/promises";
import { GptOssError } from "../base/index.ts";
import { formatHubName } from "../checkpoint/index.ts";
import {
  hubNameOf,
  type PlanOptions,
  type PullPlan,
  plannedContextTokens,
  planPull,
  pull,
  type TransferProgress,
} from "../checkpoint/node/index.ts";
import { modelPath } from "../library/node/index.ts";
import { machineMemory } from "./machine-memory.ts";
import { describeTransfer, formatBytes, interruptible, printNote, progressLine } from "./terminal.ts";

type Wishes = Pick<PlanOptions, "layout" | "file" | "check">;

/** Plans, tells, fetches. */
export async function pullWithProgress(name: string, wishes: Wishes): Promise<PullPlan> {
  return interruptible(async (signal) => {
    const plan = await planOf(name, wishes, signal);
    for (const line of describePlan(plan)) printNote(line);
    await fetchPlanned(plan, signal);
    return plan;
  });
}

/** At a terminal, offers to pull a model that is not here. Elsewhere, and when it is not wanted, loading it will fail. */
export async function offerToPull(name: string | undefined): Promise<void> {
  const isInteractive = process.stdin.isTTY === true && process.stderr.isTTY === true;
  if (name === undefined || !isInteractive) return;
  try {
    await modelPath(name);
  } catch (error) {
    if (!GptOssError.isInstance(error) || error.code !== "checkpoint/not-pulled") return;
    printNote(error.message);
    const plan = await interruptible((signal) => planOf(name, {}, signal));
    for (const line of describePlan(plan)) printNote(line);
    if (await isAgreed("Pull it now? [y/N] ")) await interruptible((signal) => fetchPlanned(plan, signal));
  }
}

async function planOf(name: string, wishes: Wishes, signal: AbortSignal): Promise<PullPlan> {
  if (wishes.check) printNote("reading what is here");
  return planPull(hubNameOf(name), { ...wishes, signal, onTrouble: printNote });
}

async function fetchPlanned(plan: PullPlan, signal: AbortSignal): Promise<void> {
  const line = progressLine();
  try {
    const onProgress = (progress: TransferProgress): void => line.update(describeTransfer(progress));
    await pull(plan, { signal, onProgress, onTrouble: (message) => line.end(message) });
  } catch (error) {
    if (signal.aborted) line.end("stopped; what came is kept, and the next pull continues there");
    throw error;
  } finally {
    line.end();
  }
}

function describePlan(plan: PullPlan): string[] {
  const { name, commit, files, totalBytes, missingBytes, freeBytes, memoryBytes, damaged } = plan;
  const isDamaged = ({ hash }: (typeof files)[number]): boolean => damaged.includes(hash.hex);
  const damagedNames = files.filter(isDamaged).map(({ path }) => path);
  const some = missingBytes === 0 ? "all here" : `of which ${formatBytes(missingBytes)} are still to come`;
  const share = missingBytes === totalBytes ? "" : `, ${some}`;
  const context =
    plan.layout === "gguf" ? "" : ` with ${plannedContextTokens.toLocaleString("en")} tokens of context`;
  const isTooLarge = memoryBytes > machineMemory();
  return [
    `${formatHubName(name)}, commit ${commit.slice(0, 7)}: ${formatBytes(totalBytes)} in ${files.length} files${share}`,
    `disk: ${formatBytes(missingBytes)} needed, ${formatBytes(freeBytes)} free in ${plan.environment.cache}`,
    `memory: about ${formatBytes(memoryBytes)} to run it${context}, this machine has ${formatBytes(machineMemory())}`,
    ...(damagedNames.length === 0 ? [] : [`damaged, and fetched again: ${damagedNames.join(", ")}`]),
    ...(isTooLarge
      ? ["that is more than there is: it will run, but read from the disk for every token"]
      : []),
  ];
}

async function isAgreed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const end = new AbortController();
  terminal.on("close", () => end.abort());
  try {
    return /^y(es)?$/i.test((await terminal.question(question, { signal: end.signal })).trim());
  } catch {
    return false; // Ctrl-C and Ctrl-D say no
  } finally {
    terminal.close();
  }
}
