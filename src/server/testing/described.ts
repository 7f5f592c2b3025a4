// Holds answers against the server's own description of them: a status, a key or an event that it does not name fails
// the test that got it.

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { createMemoryStore, createServer } from "../index.ts";

interface Described {
  readonly content: Readonly<Record<string, object>>;
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Described>> }>>>
  >;
}

let loading: Promise<Checker> | undefined;

/** An answer whose `text()` and `json()` throw where it is not as described; streams that are read by hand pass. */
export async function asDescribed(request: Request, response: Response): Promise<Response> {
  const checker = await (loading ??= loadChecker());
  const read = response.text.bind(response);
  const text = async (): Promise<string> => {
    const whole = await read();
    checker.check(request, response, whole);
    return whole;
  };
  const json = async (): Promise<unknown> => JSON.parse(await text());
  return Object.assign(response, { text, json });
}

/** Throws where an answer is not as described. */
export async function checkDescribed(request: Request, response: Response, text: string): Promise<void> {
  (await (loading ??= loadChecker())).check(request, response, text);
}

interface Checker {
  check(request: Request, response: Response, text: string): void;
}

async function loadChecker(): Promise<Checker> {
  const server = createServer({ models: [], store: createMemoryStore() });
  const response = await server.fetch(new Request("http://localhost/openapi.json"));
  const document = (await response.json()) as Document;
  const ajv = new Ajv2020({ strict: false, discriminator: true });
  ajv.addSchema(document, "doc");
  const validators = new Map<string, ValidateFunction>();

  function validate(pointer: string, value: unknown): void {
    const validator = validators.get(pointer) ?? ajv.compile({ $ref: `doc#/${pointer}` });
    validators.set(pointer, validator);
    if (validator(value)) return;
    const problems = (validator.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
    const shown = JSON.stringify(value).slice(0, 1000);
    throw new Error(`not as described at ${pointer}: ${problems.slice(0, 8).join("; ")}\n${shown}`);
  }

  return {
    check(request, response, text) {
      const { status } = response;
      const path = pathOf(document, new URL(request.url).pathname);
      const methods = path === undefined ? undefined : document.paths[path];
      const method = request.method.toLowerCase();
      const type = response.headers.get("content-type")?.split(";")[0] ?? "";
      if (!methods?.[method]) {
        if (status >= 400 && type === "application/json")
          validate("components/schemas/Error", JSON.parse(text));
        return;
      }
      // The client has left: nobody reads it.
      if (status === 499) return;
      const described = methods[method].responses[status]?.content;
      if (!described?.[type])
        throw new Error(`${method} ${path} answers ${status} ${type}, which is not described`);
      const parts = ["paths", path ?? "", method, "responses", String(status), "content", type, "schema"];
      const pointer = parts.map((part) => encodeURIComponent(part.replaceAll("/", "~1"))).join("/");
      if (type === "text/event-stream") for (const data of dataOf(text)) validate(pointer, data);
      else validate(pointer, type === "application/json" ? JSON.parse(text) : text);
    },
  };
}

/** The path with parameters that this one is. */
function pathOf({ paths }: Document, pathname: string): string | undefined {
  if (pathname in paths) return pathname;
  return Object.keys(paths).find((path) => {
    const pattern = path.replace(/\{\w+\}/g, path.startsWith("/v1/models") ? ".+" : "[^/]+");
    return new RegExp(`^${pattern}$`).test(pathname);
  });
}

function dataOf(stream: string): unknown[] {
  return stream
    .split("\n")
    .filter((line) => line.startsWith("data: ") && line !== "data: [DONE]")
    .map((line) => JSON.parse(line.slice("data: ".length)));
}
