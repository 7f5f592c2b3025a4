// What a client reads when something is wrong: one error class with the fields of OpenAI's error object, and the one
// table from this package's errors to it. Knows nothing of routes.

import * as z from "zod";
import { type ErrorCode, GptOssError } from "../base/index.ts";
import { named, type Wire } from "./wire.ts";

const errorType = z.enum([
  "invalid_request_error",
  "authentication_error",
  "conflict_error",
  "rate_limit_error",
  "server_error",
  "model_error",
]);

export type ErrorType = z.output<typeof errorType>;

export const errorObjectSchema = z.object({
  message: z.string(),
  type: errorType,
  param: z
    .string()
    .nullable()
    .describe("The field of the request that is wrong, such as messages[0].content"),
  code: z.string(),
});

/** The body of every answer that is no success; in streams of chats, a frame. */
export const errorBody = named("Error", z.object({ error: errorObjectSchema }));

export interface HttpErrorOptions {
  readonly message: string;
  /** Default: what belongs to the status. */
  readonly type?: ErrorType;
  /** Always a string: some clients' schemas refuse null. */
  readonly code: string;
  /** The field of the request that is wrong, such as `messages[0].content`. */
  readonly param?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Thrown by handlers; create-server.ts answers with it. */
export class HttpError extends Error {
  readonly status: number;
  readonly type: ErrorType;
  readonly code: string;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, options: HttpErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HttpError";
    this.status = status;
    this.type = options.type ?? typeOf(status);
    this.code = options.code;
    this.param = options.param ?? null;
    this.headers = options.headers ?? {};
  }
}

function typeOf(status: number): ErrorType {
  if (status === 401 || status === 403) return "authentication_error";
  if (status === 409) return "conflict_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

export type ErrorObject = Wire<typeof errorObjectSchema>;

export const errorObject = ({ message, type, param, code }: HttpError): ErrorObject => ({
  message,
  type,
  param,
  code,
});

export function errorResponse(error: HttpError): Response {
  return Response.json({ error: errorObject(error) }, { status: error.status, headers: error.headers });
}

export function unsupported(param: string, message: string): HttpError {
  return new HttpError(400, { code: "unsupported_parameter", param, message });
}

export function invalidValue(param: string, message: string): HttpError {
  return new HttpError(400, { code: "invalid_value", param, message });
}

/** How long a client should wait when the server is full: about one short answer. */
export const retryAfterSeconds = 2;

export function queueFull(cause?: unknown): HttpError {
  return new HttpError(429, {
    code: "queue_full",
    message: `The server is busy and its queue is full. Try again in ${retryAfterSeconds}s.`,
    headers: { "retry-after": String(retryAfterSeconds) },
    ...(cause !== undefined && { cause }),
  });
}

type Mapped = readonly [status: number, code: string];

/** Errors that a request can cause; any other is the server's own fault. */
const table: Partial<Record<ErrorCode, Mapped>> = {
  "agent/bad-tool": [400, "invalid_value"],
  "agent/bad-stop": [400, "invalid_value"],
  "harmony/bad-conversation": [400, "invalid_value"],
  "engine/bad-request": [400, "invalid_value"],
  "engine/bad-grammar": [400, "invalid_value"],
  "engine/overloaded": [429, "queue_full"],
  "engine/closed": [503, "server_stopping"],
  "engine/crashed": [503, "engine_crashed"],
  "backend/out-of-memory": [503, "out_of_memory"],
  "server/store-unavailable": [503, "store_unavailable"],
  "server/store-full": [503, "store_full"],
  "server/store-damaged": [500, "store_damaged"],
  "server/store-closed": [503, "server_stopping"],
};

/** Any error, as the client should see it. What nobody expected says nothing about the inside of the server. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  const mapped = GptOssError.isInstance(error) ? table[error.code] : undefined;
  if (!mapped || !GptOssError.isInstance(error)) {
    return new HttpError(500, { code: "server_error", message: "The server had an error.", cause: error });
  }
  const [status, code] = mapped;
  if (status === 429) return queueFull(error);
  const hint = error.hint === undefined ? "" : ` (${error.hint})`;
  return new HttpError(status, {
    code,
    message: `${error.message}${hint}`,
    cause: error,
    ...(status === 503 && { headers: { "retry-after": String(retryAfterSeconds) } }),
  });
}
