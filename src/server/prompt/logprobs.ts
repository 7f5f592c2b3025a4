// Log-probabilities of sampled tokens in the form that both APIs of OpenAI's share.

import type { SampledLogprob } from "../../agent/index.ts";
import type { TokenLogprob } from "../../engine/index.ts";
import type { TokenId, Tokenizer } from "../../tokenizer/index.ts";
import type { WireLogprob, WireTokenLogprob } from "../wire.ts";

export function wireLogprob(tokenizer: Tokenizer, { top, ...sampled }: SampledLogprob): WireLogprob {
  return {
    ...one(tokenizer, sampled),
    top_logprobs: top.map((likely) => one(tokenizer, likely)),
  };
}

/** What JSON cannot say: the log of no probability at all. OpenAI's API writes it as this number. */
const impossible = -9999;

function one(tokenizer: Tokenizer, { token, logprob }: TokenLogprob): WireTokenLogprob {
  const id = token as TokenId;
  return {
    token: tokenizer.decode([id]),
    logprob: Number.isFinite(logprob) ? logprob : impossible,
    bytes: [...(tokenizer.bytes(id) ?? [])],
  };
}
