import { GptOssError } from "../base/index.ts";

/** What requests get that were running when their engine was closed, and those that come later. */
export function engineClosed(): GptOssError {
  return new GptOssError("engine/closed", { message: "this engine was closed", hint: "make a new one" });
}
