// All error codes, by room. A code is public: programs test it, so it is added here once and never renamed.

export type ErrorCode =
  // base
  | "base/assert"
  // tokenizer
  | "tokenizer/bad-file"
  | "tokenizer/unknown-token"
  // checkpoint
  | "checkpoint/not-found"
  | "checkpoint/bad-config"
  | "checkpoint/bad-header"
  | "checkpoint/bad-index"
  | "checkpoint/bad-tensor"
  | "checkpoint/truncated"
  | "checkpoint/missing-tensor"
  | "checkpoint/missing-shard"
  | "checkpoint/wrong-dtype"
  | "checkpoint/wrong-shape"
  | "checkpoint/io"
  | "checkpoint/disk-full"
  | "checkpoint/exists"
  // backend
  | "backend/unsupported"
  | "backend/bad-shape"
  | "backend/bad-index"
  | "backend/foreign"
  | "backend/freed"
  | "backend/out-of-memory"
  // harmony
  | "harmony/bad-conversation"
  // model
  | "model/too-long"
  | "model/cache-full"
  // engine
  | "engine/bad-option"
  | "engine/bad-request"
  | "engine/bad-logits"
  | "engine/overloaded"
  | "engine/closed"
  // agent
  | "agent/bad-tool"
  | "agent/bad-arguments"
  // library and command line
  | "library/bad-option"
  | "library/no-tokenizer"
  | "cli/bad-argument";
