// A text of a grammar, sampled from random logits through the same mask that an engine applies.

import type { Random } from "../../../base/index.ts";
import type { CompiledGrammar } from "../compile.ts";
import { applyMask } from "../mask.ts";
import { stopToken, tokenBytes, vocabularySize } from "./vocabulary.ts";

const closers = [...'"}]'].map((character) => character.charCodeAt(0));

/** `undefined` where it did not come to an end within `maxTokens`. Closing becomes likelier with every token. */
export function sampleText(
  { start, mask, advance }: CompiledGrammar,
  source: Random,
  maxTokens = 300,
): string | undefined {
  const bytes: number[] = [];
  const logits = new Float32Array(vocabularySize);
  let at = start;
  for (let count = 0; count < maxTokens; count++) {
    for (let token = 0; token < vocabularySize; token++) logits[token] = 3 * source.normal();
    for (const token of [...closers, stopToken]) logits[token] += count / 8;
    applyMask(logits, mask(at), at.isComplete ? [stopToken] : []);
    const token = logits.indexOf(Math.max(...logits));
    if (!(logits[token] > Number.NEGATIVE_INFINITY)) throw new Error("nothing may follow");
    if (token === stopToken) return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
    const next = advance(at, token);
    if (next === undefined) throw new Error(`token ${token} was allowed and then refused`);
    bytes.push(...(tokenBytes(token) ?? []));
    at = next;
  }
  return undefined;
}

/** Whether the grammar takes the text, token by token as its bytes, and may end after it. */
export function takes({ start, advance }: CompiledGrammar, text: string): boolean {
  let at: typeof start | undefined = start;
  for (const byte of new TextEncoder().encode(text)) at = at && advance(at, byte);
  return at?.isComplete === true;
}
