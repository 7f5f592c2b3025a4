// Token ids to text. Bytes that are not UTF-8, and ids without a token, become U+FFFD, one per maximal invalid
// sequence, as `TextDecoder` does it; streaming and all at once give the same text.

import type { TokenBytes } from "./token-bytes.ts";
import type { StreamDecoder, TokenId } from "./tokenizer.ts";

const replacementCharacter = Uint8Array.of(0xef, 0xbf, 0xbd);

/** Without ignoreBOM the decoder would swallow U+FEFF at the start. */
const utf8 = (): InstanceType<typeof TextDecoder> => new TextDecoder("utf-8", { ignoreBOM: true });

/** The token's bytes, a view; undefined where no token has this id. */
export function viewOf({ blob, offsets }: TokenBytes, id: number): Uint8Array | undefined {
  const start = offsets[id];
  const end = offsets[id + 1];
  // Reading outside the array gives undefined, which is not greater: so is any id out of range or with a fraction.
  return end > start ? blob.subarray(start, end) : undefined;
}

export function decode({ blob, offsets }: TokenBytes, ids: Iterable<TokenId>): string {
  let text = new Uint8Array(4096);
  let length = 0;
  for (const id of ids) {
    let source = blob;
    let start = offsets[id];
    let end = offsets[id + 1];
    // As in viewOf.
    if (!(end > start)) [source, start, end] = [replacementCharacter, 0, replacementCharacter.length];
    if (length + end - start > text.length) text = grown(text, length + end - start);
    // Tokens are a few bytes long, where a loop beats the built-in set.
    for (let i = start; i < end; i++) text[length++] = source[i];
  }
  return utf8().decode(text.subarray(0, length));
}

function grown(bytes: Uint8Array, atLeast: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * Math.max(atLeast, bytes.length));
  larger.set(bytes);
  return larger;
}

export function streamDecoder(tokens: TokenBytes): StreamDecoder {
  const decoder = utf8();
  return {
    push: (token) => decoder.decode(viewOf(tokens, token) ?? replacementCharacter, { stream: true }),
    flush: () => decoder.decode(),
  };
}
