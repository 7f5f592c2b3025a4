/** A byte-level BPE vocabulary as GGUF stores it; ordinary texts are in GPT-2's byte alphabet. */
export interface GgufVocabulary {
  /** By id; ids without a token have a placeholder text and the type `unused`. */
  readonly tokens: readonly string[];
  /** By id; see `ggufTokenTypes`. */
  readonly types: readonly number[];
  /** Two texts separated by a space, best merge first. */
  readonly merges: readonly string[];
  /** `tokenizer.ggml.model`: "gpt2" is byte-level BPE. */
  readonly model: string | undefined;
  /** `tokenizer.ggml.pre`: how text is cut before merging; "gpt-4o" is o200k's pattern. */
  readonly splitter: string | undefined;
}

/** llama.h: LLAMA_TOKEN_TYPE_* */
export const ggufTokenTypes = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const;
