// The server's bounds, in one place, with their defaults.

export interface Limits {
  /** Of a request's body; more is answered with 413. */
  readonly bodyBytes: number;
  /** How deep arrays and objects of a body may nest; deeper is 400. */
  readonly jsonDepth: number;
  /** From the last byte of a request to the last of its answer; then the run is aborted. */
  readonly requestMs: number;
  /** Answers in progress or waiting, over all models and clients; one more is 429 `queue_full`. */
  readonly requests: number;
  /** Of one Chat Completions request. */
  readonly choices: number;
  /** After this long without an answer, headers are sent, because clients give up without them after 300 s. */
  readonly earlyHeadersMs: number;
  /** A stream without news for this long says that it still lives. */
  readonly heartbeatMs: number;
}

export const defaultLimits: Limits = {
  bodyBytes: 10_000_000,
  jsonDepth: 128,
  requestMs: 3_600_000,
  requests: 256,
  choices: 16,
  earlyHeadersMs: 30_000,
  heartbeatMs: 15_000,
};
