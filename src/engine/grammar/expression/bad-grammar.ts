import { GptOssError } from "../../../base/index.ts";

/** What cannot be enforced is refused; it is never ignored. */
export function badGrammar(message: string, hint: string): GptOssError {
  return new GptOssError("engine/bad-grammar", { message, hint });
}
