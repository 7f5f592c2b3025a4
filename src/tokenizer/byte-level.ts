// The order in which byte-level BPE vocabularies list the 256 bytes: printable Latin-1 first, then the others.
// GPT-2 writes the byte at place i of "the others" as the character U+0100 + i; Hugging Face files keep that spelling.

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

const allBytes = Array.from({ length: 256 }, (_, byte) => byte);
const others = allBytes.filter((byte) => !isPrintable(byte));

/** byteOrder[rank] is the byte; a byte's token in o200k is its rank. */
export const byteOrder: readonly number[] = [...allBytes.filter(isPrintable), ...others];

/** The character that stands for a byte. */
export function spellingOfByte(byte: number): string {
  return String.fromCharCode(isPrintable(byte) ? byte : 0x100 + others.indexOf(byte));
}

/** A token as Hugging Face and GGUF files write it. */
export function spellingOfBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => spellings[byte]).join("");
}

const spellings = allBytes.map(spellingOfByte);

const byteOfCharacter = new Map<string, number>(allBytes.map((byte) => [spellingOfByte(byte), byte]));

/** The bytes of a token as Hugging Face writes it (`Ġthe` for ` the`); undefined if some character stands for no byte. */
export function bytesOfSpelling(spelling: string): Uint8Array | undefined {
  const bytes = new Uint8Array(spelling.length);
  for (let i = 0; i < spelling.length; i++) {
    const byte = byteOfCharacter.get(spelling[i]);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
