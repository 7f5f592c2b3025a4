// API keys: who calls. Without any, everybody may. Compared by their hashes and to the last byte, always against all of
// them, so that the time of an answer says nothing about a key.

import { HttpError } from "./errors.ts";
import type { RateLimit } from "./rate-limits.ts";

export interface ApiKey extends RateLimit {
  /** Whose key it is, for logs and limits; the key itself is never written anywhere. */
  readonly name: string;
  readonly key: string;
}

export interface Keys {
  /** The name of the key that the request has; undefined where no keys are set. Throws 401. */
  check(headers: Headers): Promise<string | undefined>;
}

export function createKeys(keys: readonly ApiKey[]): Keys {
  const known = Promise.all(keys.map(async ({ name, key }) => ({ name, digest: await digestOf(key) })));
  return {
    async check(headers) {
      if (keys.length === 0) return undefined;
      const given = keyOf(headers);
      if (given === undefined) throw refused("No API key was given: send it as `Authorization: Bearer KEY`.");
      const digest = await digestOf(given);
      let found: string | undefined;
      for (const { name, digest: other } of await known) if (isSame(digest, other)) found = name;
      if (found === undefined) throw refused("The API key is not known to this server.");
      return found;
    },
  };
}

/** `x-api-key` is what Anthropic's clients send, `api-key` what Azure's do. */
function keyOf(headers: Headers): string | undefined {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1];
  return bearer ?? headers.get("x-api-key") ?? headers.get("api-key") ?? undefined;
}

const refused = (message: string): HttpError =>
  new HttpError(401, { code: "invalid_api_key", message, headers: { "www-authenticate": "Bearer" } });

const digestOf = async (key: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) difference |= a[at] ^ b[at];
  return difference === 0;
}
