// From a request's body to a checked value. Everything that can be wrong with it is a 4xx that names the place.

import type * as z from "zod";
import { HttpError } from "./errors.ts";
import type { Limits } from "./limits.ts";

/** Parsed JSON. Throws 415, 413, and 400 for what is no UTF-8, no JSON, or too deep. */
export async function readBody(
  request: Request,
  limits: Pick<Limits, "bodyBytes" | "jsonDepth">,
): Promise<unknown> {
  checkEncoding(request.headers);
  return parseJson(decode(await readBytes(request, limits.bodyBytes)), limits);
}

/** Throws 400 for what is no JSON, or too deep. */
export function parseJson(text: string, limits: Pick<Limits, "jsonDepth">): unknown {
  checkDepth(text, limits.jsonDepth);
  try {
    return JSON.parse(text);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw badBody(`The body is not valid JSON: ${problem.slice(0, 200)}`);
  }
}

function checkEncoding(headers: Headers): void {
  const type = headers.get("content-type")?.split(";")[0].trim().toLowerCase();
  if (type !== undefined && type !== "application/json" && !type.endsWith("+json")) {
    throw unsupported(`The content type must be application/json, and is ${type.slice(0, 60)}.`);
  }
  // Without a type every page in a browser may send a body to everywhere, and nobody asks the server first (CORS).
  if (type === undefined && headers.has("origin")) {
    throw unsupported("The content type must be application/json, and none is given.");
  }
  const encoding = headers.get("content-encoding")?.toLowerCase();
  if (encoding !== undefined && encoding !== "identity") {
    throw unsupported(`The content encoding ${encoding.slice(0, 60)} is not supported.`);
  }
}

const unsupported = (message: string): HttpError =>
  new HttpError(415, { code: "unsupported_media_type", message });

const badBody = (message: string): HttpError => new HttpError(400, { code: "invalid_json", message });

async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > limit) throw tooLarge(limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

function tooLarge(limit: number): HttpError {
  return new HttpError(413, {
    code: "request_too_large",
    message: `The body is larger than ${limit} bytes, which is the limit of this server.`,
  });
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw badBody("The body is not valid UTF-8.");
  }
}

/** Before parsing: what follows walks values recursively. */
function checkDepth(text: string, limit: number): void {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at);
    if (isInString) {
      if (letter === backslash) at++;
      else if (letter === quote) isInString = false;
    } else if (letter === quote) isInString = true;
    else if (letter === openBracket || letter === openBrace) {
      if (++depth > limit) throw badBody(`The body nests deeper than ${limit} levels.`);
    } else if (letter === closeBracket || letter === closeBrace) depth--;
  }
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [...'"\\[]{}'].map((letter) =>
  letter.charCodeAt(0),
);

/** Throws 400 for the first thing that does not match, with the path to it as `param`. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw describe(innermost(result.error.issues[0]));
}

/** Of a union's alternatives, the one that came furthest says what is wrong. */
function innermost(issue: z.core.$ZodIssue, path: readonly PropertyKey[] = []): z.core.$ZodIssue {
  const here = { ...issue, path: [...path, ...issue.path] };
  if (issue.code !== "invalid_union") return here;
  const firsts = issue.errors
    .flatMap((issues) => issues.slice(0, 1))
    .map((first) => innermost(first, here.path));
  const furthest = Math.max(0, ...firsts.map((first) => first.path.length));
  if (furthest <= here.path.length) return here;
  return firsts.find((first) => first.path.length === furthest) ?? here;
}

function describe(issue: z.core.$ZodIssue): HttpError {
  const param = pathOf(issue.path);
  const isMissing = issue.input === undefined && issue.code !== "custom" && param !== "";
  if (isMissing) {
    const message = `Missing required parameter: '${param}'.`;
    return new HttpError(400, { code: "missing_required_parameter", param, message });
  }
  const isType = issue.code === "invalid_type" || issue.code === "invalid_union";
  const place = param === "" ? "The body" : `'${param}'`;
  return new HttpError(400, {
    code: isType ? "invalid_type" : "invalid_value",
    message: `${place} is not valid: ${issue.message}`,
    ...(param !== "" && { param }),
  });
}

/** `messages[0].content` */
function pathOf(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return text.replace(/^\./, "").slice(0, 200);
}
