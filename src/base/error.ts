// The one error class. A `code` is stable and is what programs test; a `hint` is one line that says what to do.

import type { ErrorCode } from "./error-codes.ts";

const marker = Symbol.for("gpt-oss.error");

export interface GptOssErrorOptions {
  readonly message: string;
  /** One line: what the person can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Every error this package throws on purpose. `code` is `room/what`, for example `checkpoint/truncated`. */
export class GptOssError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly [marker] = true;

  constructor(code: ErrorCode, options: GptOssErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "GptOssError";
    this.code = code;
    this.hint = options.hint;
  }

  /** True also for errors made by another copy of this package. */
  static isInstance(error: unknown): error is GptOssError {
    return typeof error === "object" && error !== null && marker in error;
  }
}

/**
 * "This backend cannot do that here": the only error that choosing a backend may catch in order to try the next.
 */
export class UnsupportedError extends GptOssError {
  constructor(options: GptOssErrorOptions) {
    super("backend/unsupported", options);
    this.name = "UnsupportedError";
  }

  static override isInstance(error: unknown): error is UnsupportedError {
    return GptOssError.isInstance(error) && error.code === "backend/unsupported";
  }
}
