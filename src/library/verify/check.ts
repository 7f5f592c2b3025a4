// What verifying a model reports, check by check.

export type CheckName =
  | "files"
  | "layout"
  | "tensors"
  | "tokenizer"
  | "harmony"
  | "backends"
  | "cache"
  | "perplexity";

export interface Check {
  readonly name: CheckName;
  /** `skipped`: it could not be checked here, and `detail` says why. */
  readonly status: "passed" | "failed" | "skipped";
  /** One line for people: what was found, and against what. */
  readonly detail: string;
  /** The figures behind it, for programs. */
  readonly figures: Readonly<Record<string, number | string | readonly string[]>>;
}

/** How far a long check is; bytes or layers. */
export interface VerifyProgress {
  readonly check: CheckName;
  readonly done: number;
  readonly total: number;
}

/** Texts in an error's place are as long as their lists; a line is not. */
export function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
