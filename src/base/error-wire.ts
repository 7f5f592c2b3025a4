import { GptOssError } from "./error.ts";
import type { ErrorCode } from "./error-codes.ts";

/** An error as plain data, to be thrown again in another thread. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Of a `GptOssError`. */
  readonly code?: ErrorCode;
  readonly hint?: string | undefined;
}

export function errorToWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: undefined };
  const { name, message, stack } = error;
  return GptOssError.isInstance(error)
    ? { name, message, stack, code: error.code, hint: error.hint }
    : { name, message, stack };
}

/** → the same class, code, hint and words; the stack tells where it was thrown first. */
export function errorFromWire({ name, message, stack, code, hint }: WireError): Error {
  const error =
    code === undefined
      ? new Error(message)
      : new GptOssError(code, { message, ...(hint !== undefined && { hint }) });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
