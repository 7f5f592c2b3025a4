// Token ids to text. Bytes that are not UTF-8, and ids without a token, become U+FFFD, one per maximal invalid
// sequence, as `TextDecoder` does it; streaming and all at once give the same text.

import type { TokenBytes } from "./token-bytes.ts";
import type { StreamDecoder, TokenId } from "./tokenizer.ts";

const replacementCharacter = Uint8Array.of(0xef, 0xbf, 0xbd);

/** Without ignoreBOM the decoder would swallow U+FEFF at the start. */
const utf8 = (): InstanceType<typeof TextDecoder> => new TextDecoder("utf-8", { ignoreBOM: true });

/** The token's bytes, a view; empty where no token has this id. */
export function viewOf(tokens: TokenBytes, id: number): Uint8Array {
  const inRange = Number.isInteger(id) && id >= 0 && id < tokens.size;
  return inRange
    ? tokens.blob.subarray(tokens.offsets[id], tokens.offsets[id + 1])
    : tokens.blob.subarray(0, 0);
}

const bytesOrReplacement = (tokens: TokenBytes, id: number): Uint8Array => {
  const bytes = viewOf(tokens, id);
  return bytes.length === 0 ? replacementCharacter : bytes;
};

export function decode(tokens: TokenBytes, ids: Iterable<TokenId>): string {
  let bytes = new Uint8Array(256);
  let length = 0;
  for (const id of ids) {
    const token = bytesOrReplacement(tokens, id);
    if (length + token.length > bytes.length) {
      const grown = new Uint8Array(2 * (length + token.length));
      grown.set(bytes);
      bytes = grown;
    }
    bytes.set(token, length);
    length += token.length;
  }
  return utf8().decode(bytes.subarray(0, length));
}

export function streamDecoder(tokens: TokenBytes): StreamDecoder {
  const decoder = utf8();
  return {
    push: (token) => decoder.decode(bytesOrReplacement(tokens, token), { stream: true }),
    flush: () => decoder.decode(),
  };
}
