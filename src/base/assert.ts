import { GptOssError } from "./error.ts";

/** For states that cannot happen unless this package has a bug; never for checking input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition)
    throw new GptOssError("base/assert", { message, hint: "this is a bug in gpt-oss; please report it" });
}
