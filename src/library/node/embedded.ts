// The model inside the package: where it lies, what it was trained to see, and what it can do.

import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RespondDefaults } from "../gpt-oss.ts";

/** The same from src/ and from dist/. */
export const embeddedModelPath = fileURLToPath(new URL("../../../models/micro", import.meta.url));

/** Its training knew one date, and it is too small to sample from the whole distribution without erring more. */
export const embeddedDefaults: RespondDefaults = {
  temperature: 0,
  currentDate: "2025-06-28",
};

/** It can read further, but has nothing to say about it. */
export const embeddedContextTokens = 8192;

export const embeddedAnnouncement = `This is the embedded model: gpt-oss in every detail, but with 4.1 million parameters instead of 20 billion.
It can add and subtract numbers of up to two digits, name the capitals of 24 countries, count letters in a few words,
call a get_weather function, and say who it is. It knows nothing else, and errs; more effort helps with sums.
For real answers: gpt-oss pull 20b (14 GB), then gpt-oss chat --model 20b.`;

export function isEmbedded(path: string): boolean {
  try {
    return realpathSync(path) === realpathSync(embeddedModelPath);
  } catch {
    return false; // whoever opens it says that it is not there
  }
}
