import { readFileSync } from "node:fs";

/** What the official code makes of the embedded model, greedily. */
export interface Greedy {
  readonly question: string;
  readonly effort: string;
  readonly prompt: readonly number[];
  readonly greedy: readonly number[];
  readonly text: string;
}

export const greedy = JSON.parse(readFileSync("test/golden/micro/greedy.json", "utf8")) as Greedy[];
/** What is 47 + 85? */
export const [sum] = greedy;
