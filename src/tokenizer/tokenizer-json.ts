// Reads a checkpoint's tokenizer.json (Hugging Face `tokenizers`, byte-level BPE). Honours what changes the tokens of
// ordinary text, and refuses a file that asks for something else rather than tokenize it wrongly. The post-processor,
// truncation and padding do not concern ordinary encoding and are not read.

import { bytesOfSpelling, spellingOfByte } from "./byte-level.ts";
import { createTokenizer } from "./create-tokenizer.ts";
import { harmonyTexts } from "./special-tokens.ts";
import { tokenBytes } from "./token-bytes.ts";
import type { MergeList, Tokenizer } from "./tokenizer.ts";
import { splitterOf } from "./tokenizer-json-split.ts";
import { badFile, isRecord, type Json, show } from "./tokenizer-json-values.ts";

/** A bound on memory: ids are array indices, and the largest vocabularies in use have 262,144 tokens. */
const maxVocabularySize = 2 ** 22;

/**
 * The tokenizer that a `tokenizer.json` describes; `json` is the file's text or the parsed value.
 *
 * Throws `tokenizer/bad-file` if the file is damaged, if it is not byte-level BPE, or if it has no harmony tokens.
 */
export function tokenizerFromJson(json: unknown): Tokenizer {
  const file = typeof json === "string" ? parse(json) : json;
  if (!isRecord(file)) throw badFile(`expected an object, found ${show(file)}`);
  checkNormalizer(file.normalizer);
  checkDecoder(file.decoder);
  const splitter = splitterOf(file.pre_tokenizer);
  const model = readModel(file.model);
  const vocabulary = readVocabulary(model.vocab);
  const byteTokens = readByteTokens(vocabulary);
  const added = readAddedTokens(file.added_tokens, vocabulary);
  const { special, ordinaryAdded } = added;
  const merges = readMerges(model.merges, vocabulary);
  for (const id of [...byteTokens, ...merges.result]) {
    if (special.has(id))
      throw badFile(`ordinary text could yield the special token ${show(special.get(id))}`);
  }

  return createTokenizer({
    tokens: tokenBytes(bytesOfTokens(vocabulary, added)),
    byteTokens,
    merges,
    special,
    ordinaryAdded,
    splitter,
    wholePiecesFirst: model.ignore_merges === true,
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badFile("it is not JSON", { cause });
  }
}

/** Normalizers change the text before it is tokenized, so that decoding could not give it back. */
function checkNormalizer(normalizer: unknown): void {
  const isNone = normalizer === null || normalizer === undefined;
  if (!isNone)
    throw badFile(`normalizer ${show(isRecord(normalizer) ? normalizer.type : normalizer)} is not supported`);
}

function checkDecoder(decoder: unknown): void {
  if (decoder === null || decoder === undefined) return;
  if (!isRecord(decoder) || decoder.type !== "ByteLevel") {
    throw badFile(
      `decoder ${show(isRecord(decoder) ? decoder.type : decoder)} is not supported, only ByteLevel`,
    );
  }
}

function readModel(model: unknown): Json {
  if (!isRecord(model)) throw badFile(`"model" should be an object, found ${show(model)}`);
  if (model.type !== undefined && model.type !== "BPE")
    throw badFile(`model type ${show(model.type)} is not BPE`);
  for (const field of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]) {
    const value = model[field];
    const isOff = value === undefined || value === null || value === "" || value === 0;
    if (!isOff) throw badFile(`model.${field} ${show(value)} is not supported`);
  }
  if (typeof (model.ignore_merges ?? false) !== "boolean") {
    throw badFile(`model.ignore_merges should be true or false, found ${show(model.ignore_merges)}`);
  }
  return model;
}

/** Spelling → id; every id once. */
function readVocabulary(vocab: unknown): Map<string, number> {
  if (!isRecord(vocab)) throw badFile(`"model.vocab" should be an object, found ${show(vocab)}`);
  const vocabulary = new Map<string, number>();
  const seen = new Set<number>();
  for (const [spelling, id] of Object.entries(vocab)) {
    if (spelling === "") throw badFile("the vocabulary has an empty token");
    const valid = checkId(id, spelling);
    if (seen.has(valid)) throw badFile(`two tokens have the id ${valid}, one of them ${show(spelling)}`);
    seen.add(valid);
    vocabulary.set(spelling, valid);
  }
  return vocabulary;
}

function checkId(id: unknown, spelling: string): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < maxVocabularySize) return id;
  throw badFile(
    `the id of token ${show(spelling)} should be an integer from 0 to ${maxVocabularySize - 1}, found ${show(id)}`,
  );
}

/** Without a token for each byte some text could not be encoded. */
function readByteTokens(vocabulary: ReadonlyMap<string, number>): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    const id = vocabulary.get(spellingOfByte(byte));
    if (id === undefined)
      throw badFile(`the vocabulary has no token for the byte ${byte}; is it byte-level BPE?`);
    return id;
  });
}

function readMerges(merges: unknown, vocabulary: ReadonlyMap<string, number>): MergeList {
  if (!Array.isArray(merges)) throw badFile(`"model.merges" should be an array, found ${show(merges)}`);
  const left = new Int32Array(merges.length);
  const right = new Int32Array(merges.length);
  const result = new Int32Array(merges.length);
  const idOf = (spelling: string, merge: unknown): number => {
    const id = vocabulary.get(spelling);
    if (id === undefined)
      throw badFile(`merge ${show(merge)} needs the token ${show(spelling)}, which is not in the vocabulary`);
    return id;
  };
  for (const [i, merge] of merges.entries()) {
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!isPair(parts)) throw badFile(`merge ${i} should be two tokens, found ${show(merge)}`);
    left[i] = idOf(parts[0], merge);
    right[i] = idOf(parts[1], merge);
    result[i] = idOf(parts[0] + parts[1], merge);
  }
  return { left, right, result };
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every((part) => typeof part === "string" && part !== "");

interface AddedTokens {
  readonly special: Map<number, string>;
  readonly ordinaryAdded: Map<string, number>;
}

function readAddedTokens(added: unknown, vocabulary: ReadonlyMap<string, number>): AddedTokens {
  if (added !== undefined && added !== null && !Array.isArray(added)) {
    throw badFile(`"added_tokens" should be an array, found ${show(added)}`);
  }
  const special = new Map<number, string>();
  const ordinaryAdded = new Map<string, number>();
  const textOf = new Map([...vocabulary].map(([spelling, id]) => [id, spelling]));
  const idOf = new Map(vocabulary);
  for (const token of added ?? []) {
    if (!isRecord(token) || typeof token.content !== "string" || token.content === "") {
      throw badFile(`an added token should have a text in "content", found ${show(token)}`);
    }
    const text = token.content;
    const id = checkId(token.id, text);
    if ((textOf.get(id) ?? text) !== text || (idOf.get(text) ?? id) !== id) {
      throw badFile(`added token ${show(text)} with id ${id} contradicts another token`);
    }
    textOf.set(id, text);
    idOf.set(text, id);
    if (token.special === true || harmonyTexts.has(text)) special.set(id, text);
    else ordinaryAdded.set(checkMatching(token, text), id);
  }
  return { special, ordinaryAdded };
}

/** Only plain matching is done for added tokens that are ordinary text. */
function checkMatching(token: Json, text: string): string {
  for (const option of ["lstrip", "rstrip", "single_word"]) {
    if (token[option] === true)
      throw badFile(`added token ${show(text)} uses ${option}, which is not supported`);
  }
  return text;
}

/** By id. Added tokens stand as they are, the others in byte-level spelling. */
function bytesOfTokens(vocabulary: ReadonlyMap<string, number>, added: AddedTokens): Uint8Array[] {
  const utf8 = new TextEncoder();
  const tokens: Uint8Array[] = [];
  for (const [id, text] of added.special) tokens[id] = utf8.encode(text);
  for (const [text, id] of added.ordinaryAdded) tokens[id] = utf8.encode(text);
  for (const [spelling, id] of vocabulary) {
    if (tokens[id]) continue;
    const bytes = bytesOfSpelling(spelling);
    if (!bytes) throw badFile(`token ${show(spelling)} is not spelled in byte-level characters`);
    tokens[id] = bytes;
  }
  return tokens;
}
