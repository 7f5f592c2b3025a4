import { GptOssError } from "../../base/index.ts";
import type { StoreLimits } from "./store.ts";

const day = 86_400_000;

export function completeLimits(limits: StoreLimits = {}): Required<StoreLimits> {
  const { maxResponses = 10_000, maxBytes = 2 ** 30, maxAgeMs = 30 * day } = limits;
  for (const [name, value] of Object.entries({ maxResponses, maxBytes, maxAgeMs })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new GptOssError("server/bad-store", {
      message: `${name} is ${value}`,
      hint: "the limits of a store are whole numbers above 0",
    });
  }
  return { maxResponses, maxBytes, maxAgeMs };
}
