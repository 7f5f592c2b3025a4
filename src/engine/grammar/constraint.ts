// What a request may say about the tokens that it wants sampled: data only, so that it can be sent to an engine in
// another thread. Knows token ids and text, never what a caller means by them.

/** What a stretch of text may be. */
export type Grammar =
  /** Any JSON object. */
  | { readonly type: "json" }
  /** JSON that is valid for the schema. */
  | { readonly type: "json-schema"; readonly schema: JsonSchemaObject | boolean }
  /** One of these texts. */
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** A text that this ECMAScript regular expression matches as a whole. */
  | { readonly type: "regex"; readonly pattern: string };

export type JsonSchemaObject = { readonly [keyword: string]: unknown };

/**
 * A small machine over tokens: it begins in state 0, every sampled token may change its state, and the state says which
 * tokens may come next. Stop tokens of the request are always obeyed, but sampled only where a state allows them.
 */
export interface TokenConstraint {
  readonly states: readonly ConstraintState[];
}

export type ConstraintState =
  /** Any token but the forbidden ones; those in `on` lead to another state. */
  | {
      readonly kind: "free";
      readonly forbidden?: readonly number[];
      readonly on: ReadonlyMap<number, number>;
    }
  /** Exactly one of these sequences of tokens, at least one token each; no whole sequence is the start of another. */
  | { readonly kind: "paths"; readonly paths: readonly ConstraintPath[] }
  /** Ordinary text of the grammar and then, when it is complete, one of the tokens in `on`. */
  | {
      readonly kind: "grammar";
      readonly grammar: Grammar;
      readonly on: ReadonlyMap<number, number>;
    };

export interface ConstraintPath {
  readonly tokens: readonly number[];
  readonly to: number;
}
