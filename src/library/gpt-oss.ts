// The object a person holds: ask, stream, close. Puts an engine and a tokenizer behind the agent; knows neither files
// nor backends, so it is the same in a browser.

import {
  type AgentEvent,
  type AgentRequest,
  type Answer,
  type AnswerFormat,
  createFold,
  type Effort,
  efforts,
  openPrompt,
  type Prompt,
  runAgent,
  type ToolChoice,
  type ToolSet,
} from "../agent/index.ts";
import { GptOssError } from "../base/index.ts";
import type { Engine, SamplingOptions } from "../engine/index.ts";
import type { Message } from "../harmony/index.ts";
import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import { type Input, toConversation } from "./input.ts";

export interface RespondOptions extends SamplingOptions {
  /** What an application tells the model; elsewhere called the system prompt. */
  readonly instructions?: string;
  /** How much to think before answering. Default: medium. `none` answers at once, and worse. */
  readonly effort?: Effort;
  /** Functions that the model may call: see `tool`. */
  readonly tools?: ToolSet;
  /** Whether, and which of the functions, the model has to call. Default: as it likes. */
  readonly toolChoice?: ToolChoice;
  /**
   * What the final answer has to be: JSON, JSON for a schema, one of several texts, or what a regular expression matches.
   * Nothing else can be sampled there; thoughts stay free. What cannot be enforced is refused: `engine/bad-grammar`.
   */
  readonly responseFormat?: AnswerFormat;
  /** Texts that end the answer where one begins in it, and are left out of it. */
  readonly stop?: readonly string[];
  /** Output tokens, reasoning included; default: what the context holds. */
  readonly maxTokens?: number;
  /** How often the model may be asked again with the results of its calls; the last time it has to answer. Default: 32. */
  readonly maxTurns?: number;
  /** ISO date that the model takes for today; default: today. `null` leaves it out. */
  readonly currentDate?: string | null;
  /** Give log-probabilities of the sampled tokens, and of this many likeliest ones, with the events. */
  readonly topLogprobs?: number;
  /** Ends the answer, tools included; not an error, the answer's `finishReason` is then `aborted`. */
  readonly signal?: AbortSignal;
}

/** What a model answers with when the caller does not say. */
export type RespondDefaults = Pick<RespondOptions, "temperature" | "currentDate">;

/** The events of an answer, and in the end the answer. */
export interface AnswerStream extends AsyncIterable<AgentEvent> {
  /** Reads what is left of the stream; after a loop that was left early, gives what came until then. */
  answer(): Promise<Answer>;
}

export interface GptOss extends AsyncDisposable {
  /**
   * Answers, calling functions in between. Throws for requests that cannot be run, such as a prompt longer than the
   * context (`engine/bad-request`); never for what the model samples.
   *
   * @example
   * const answer = await model.respond("What is 47 + 85?", { effort: "high" });
   * console.log(answer.text, answer.reasoning, answer.usage, answer.finishReason);
   */
  respond(input: Input, options?: RespondOptions): Promise<Answer>;
  /**
   * The same, as it happens.
   *
   * @example
   * for await (const event of model.stream("What is 47 + 85?")) {
   *   if (event.type === "text-delta") process.stdout.write(event.text);
   * }
   */
  stream(input: Input, options?: RespondOptions): AnswerStream;
  /** What the model would be given: every message, and all of it as tokens. */
  prompt(input: Input, options?: RespondOptions): Prompt;
  /** Token ids in, token ids out. */
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** Frees the model's memory; answers in progress reject with `engine/closed`. */
  close(): Promise<void>;
}

export interface GptOssParts {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** The checkpoint's own; harmony's are added. */
  readonly stopTokens?: readonly number[];
  readonly defaults?: RespondDefaults;
  /** Frees the engine and what stands behind it. Default: closes the engine. */
  readonly close?: () => Promise<void>;
}

/**
 * A model from an engine and a tokenizer, for those who put them together themselves; see `load`.
 *
 * @example
 * const model = createGptOss({ engine, tokenizer: o200kHarmony() });
 */
export function createGptOss(parts: GptOssParts): GptOss {
  const { engine, tokenizer, defaults = {} } = parts;
  // Messages of earlier answers are written as they were sampled, so that an engine finds its cache of them.
  const memory = new WeakMap<Message, readonly TokenId[]>();
  const request = (input: Input, options: RespondOptions = {}): AgentRequest => ({
    ...requestOf(input, { ...defaults, ...options }),
    memory,
  });
  const stream: GptOss["stream"] = (input, options) => answerStream(runAgent(parts, request(input, options)));
  const close = parts.close ?? (() => engine.close());
  return {
    engine,
    tokenizer,
    stream,
    prompt: (input, options) => openPrompt(tokenizer, request(input, options)),
    respond: async (input, options) => stream(input, options).answer(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function requestOf(input: Input, options: RespondOptions): AgentRequest {
  const {
    instructions,
    effort,
    tools,
    toolChoice,
    responseFormat,
    stop,
    maxTokens,
    maxTurns,
    currentDate,
    topLogprobs,
    signal,
  } = options;
  const {
    temperature,
    topP,
    topK,
    minP,
    repetitionPenalty,
    frequencyPenalty,
    presencePenalty,
    logitBias,
    seed,
  } = options;
  if (effort !== undefined && !efforts.includes(effort)) {
    throw new GptOssError("library/bad-option", {
      message: `there is no effort ${JSON.stringify(effort)}`,
      hint: `efforts are ${efforts.join(", ")}`,
    });
  }
  const penalties = { repetitionPenalty, frequencyPenalty, presencePenalty };
  return defined({
    messages: toConversation(input),
    instructions,
    effort,
    tools,
    toolChoice,
    responseFormat,
    stop,
    maxTokens,
    maxTurns,
    currentDate: currentDate === undefined ? today() : (currentDate ?? undefined),
    topLogprobs,
    signal,
    sampling: defined({ temperature, topP, topK, minP, ...penalties, logitBias, seed }),
  });
}

type Defined<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** Where the caller is, not in Greenwich. */
function today(): string {
  const now = new Date();
  const pad = (part: number): string => String(part).padStart(2, "0");
  return `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`;
}

function answerStream(events: AsyncIterable<AgentEvent>): AnswerStream {
  const folded = createFold();
  async function* tapped(): AsyncGenerator<AgentEvent> {
    for await (const event of events) {
      folded.add(event);
      yield event;
    }
  }
  const once = tapped();
  return {
    [Symbol.asyncIterator]: () => once,
    async answer() {
      for await (const _ of once);
      return folded.answer();
    },
  };
}
