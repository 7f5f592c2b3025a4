// Which of a repository's files a model needs. Knows names of files; not where they come from.

import { GptOssError } from "../../../base/index.ts";
import { companionNames } from "../../companions.ts";
import { quote } from "../../quote.ts";
import type { HubFile } from "./listing.ts";

export type PullLayout = "huggingface" | "original" | "gguf";

export interface FileChoice {
  readonly layout: PullLayout;
  readonly files: readonly HubFile[];
  /** Bytes of the weights among them. */
  readonly weightBytes: number;
}

export interface FileWishes {
  /** Default: `huggingface` where the repository has it, else `gguf`. */
  readonly layout?: PullLayout | undefined;
  /** One GGUF file of several. */
  readonly file?: string | undefined;
}

/** Read by this package. */
const ours = ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors.index.json"];
/** A few kilobytes that Python's tools, which share the cache, would miss. */
const theirs: readonly string[] = companionNames;

export function chooseFiles(repository: string, all: readonly HubFile[], wishes: FileWishes): FileChoice {
  const layout =
    wishes.layout ?? (wishes.file !== undefined || !hasSafetensors(all) ? "gguf" : "huggingface");
  const weights = layout === "gguf" ? oneGguf(repository, all, wishes.file) : safetensors(all, layout);
  if (weights.length === 0)
    throw new GptOssError("checkpoint/hub-not-found", {
      message: `${repository} has no weights in the ${layout} layout`,
      hint: "check the name; --layout asks for another layout, --file for one GGUF file",
    });
  const beside = layout === "gguf" ? [] : all.filter(({ path }) => isBeside(path, layout));
  const weightBytes = weights.reduce((sum, { size }) => sum + size, 0);
  return { layout, files: [...beside, ...weights], weightBytes };
}

const isRootSafetensors = ({ path }: HubFile): boolean => /^[^/]+\.safetensors$/.test(path);

const hasSafetensors = (all: readonly HubFile[]): boolean => all.some(isRootSafetensors);

function safetensors(all: readonly HubFile[], layout: PullLayout): HubFile[] {
  if (layout === "huggingface") return all.filter(isRootSafetensors);
  return all.filter(({ path }) => /^original\/[^/]+\.safetensors$/.test(path));
}

function isBeside(path: string, layout: PullLayout): boolean {
  if (layout === "huggingface") return ours.includes(path) || theirs.includes(path);
  // The original layout has a config of its own, and shares the rest.
  return /^original\/[^/]+\.json$/.test(path) || ["generation_config.json", "tokenizer.json"].includes(path);
}

const splitPattern = /-\d{5}-of-\d{5}\.gguf$/;

/** The parts of a split file count as one. */
const groupOf = (path: string): string => path.replace(splitPattern, ".gguf");

function oneGguf(repository: string, all: readonly HubFile[], file: string | undefined): HubFile[] {
  const ggufs = all.filter(({ path }) => path.endsWith(".gguf"));
  const groups = new Map(ggufs.map(({ path }) => [groupOf(path), path]));
  const wanted = file === undefined ? (groups.size === 1 ? [...groups.keys()][0] : undefined) : groupOf(file);
  if (ggufs.length === 0 && file === undefined) return [];
  if (wanted !== undefined && groups.has(wanted)) return ggufs.filter(({ path }) => groupOf(path) === wanted);
  const names = [...groups.keys()].map((name) => quote(name)).join(", ");
  throw new GptOssError(file === undefined ? "checkpoint/ambiguous-name" : "checkpoint/hub-not-found", {
    message: `${repository} has ${file === undefined ? `${groups.size} GGUF models` : `no file ${quote(file)}`}`,
    hint: names ? `choose with --file: ${names}` : "it has no GGUF files at all",
  });
}
