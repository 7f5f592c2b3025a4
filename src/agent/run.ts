// The loop: render → generate → parse → run tools → render. The only place where text, tools and tokens meet; knows
// nothing of HTTP, of terminals, or of where tokens come from.

import { GptOssError } from "../base/index.ts";
import { checkGrammar, type Engine, type TokenConstraint } from "../engine/index.ts";
import {
  type Conversation,
  type Message,
  type Prefill,
  prefillTokens,
  renderForCompletion,
  sampledHistory,
  stopTokens,
  toolRecipients,
} from "../harmony/index.ts";
import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import { answerCalls, isPending, refuseCalls, type ToolOffer } from "./calls.ts";
import { afterCall, checkToolChoice, demandsCall, type TurnRules, turnConstraint } from "./constraint.ts";
import {
  type AgentEvent,
  addUsage,
  noUsage,
  type RunFinishReason,
  type ToolCall,
  type Usage,
} from "./events.ts";
import { type AgentRequest, openConversation, type SampledMemory, type ToolChoice } from "./request.ts";
import type { KeptMessage } from "./translate.ts";
import { sampleTurn, type TurnOptions } from "./turn.ts";

/** What answers. */
export interface AgentModel {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** Ids at which the checkpoint says that sampling ends, beside harmony's own. */
  readonly stopTokens?: readonly number[];
}

const defaultMaxTurns = 32;

/**
 * Lets the model continue a conversation, calling functions until it has an answer. What it samples is data: nothing of
 * it makes this throw. Throws for requests that cannot be run: `agent/bad-tool`, `agent/bad-stop`, `harmony/bad-conversation`,
 * `engine/bad-request`; before its first event `engine/bad-grammar`, for formats that cannot be enforced.
 *
 * @example
 * const messages = [{ role: "user", content: "What is 47 + 85?" }];
 * for await (const event of runAgent({ engine, tokenizer }, { messages, effort: "low" })) {
 *   if (event.type === "text-delta") process.stdout.write(event.text);
 * }
 */
export async function* runAgent(model: AgentModel, request: AgentRequest): AsyncGenerator<AgentEvent, void> {
  const { maxTurns = defaultMaxTurns, signal } = request;
  const run = openRun(model, request);
  const end = (finishReason: RunFinishReason, pendingCalls: readonly ToolCall[] = []): AgentEvent => ({
    type: "run-end",
    finishReason,
    usage: run.usage,
    pendingCalls,
  });

  for (let turn = 0; ; turn++) {
    const isLast = turn >= maxTurns - 1;
    if (isLast && turn > 0 && !run.isForced) yield forceAnswer(run, "turn-limit");
    const options = turnOptions(run);
    const promptTokens = options.request.tokens.length;
    // On the first turn the engine says what is wrong with such a request; later it is the run that grew too long.
    const isFull = promptTokens >= model.engine.contextLength || options.request.maxTokens === 0;
    if (turn > 0 && isFull) return yield end("length");

    yield { type: "turn-start", turn, promptTokens };
    const { finishReason, usage, tokens, kept, isStopped } = yield* sampleTurn(options);
    yield { type: "turn-end", finishReason, usage, tokens };
    run.usage = addUsage(run.usage, usage);
    append(run, kept);
    run.answerStart = undefined;
    if (isStopped) return yield end("stop");

    const calls = kept.flatMap(({ call }) => call ?? []);
    if (calls.length > 0) {
      run.toolChoice = afterCall(run.toolChoice);
      run.isForced ||= request.effort === "none";
    }
    const pending = calls.filter((call) => isPending(call, run.offer));
    const isOver = finishReason !== "stop" || (isLast && pending.length === 0);
    const results = isOver
      ? refuseCalls(calls, "the call was not run, because the run ended here")
      : await answerCalls(calls, run.offer, signal);
    for (const result of results) {
      run.conversation.push(result.message);
      yield result;
    }
    if (finishReason !== "stop") return yield end(finishReason);
    if (signal?.aborted && calls.length > 0) return yield end("aborted");
    if (pending.length > 0) return yield end("tool-calls", pending);
    if (calls.length > 0 && isLast) return yield end("length");
    if (calls.length > 0) continue;
    if (run.isForced || isLast || !isSilent(kept)) return yield end("stop");
    yield forceAnswer(run, "no-answer");
  }
}

/** What the model is given on the first turn of a run. */
export interface Prompt {
  readonly messages: Conversation;
  readonly tokens: readonly TokenId[];
}

/** The prompt without the run: for counting, or for an engine without the loop. */
export function openPrompt(tokenizer: Tokenizer, request: AgentRequest): Prompt {
  const messages = openConversation(request);
  const { memory } = request;
  return { messages, tokens: renderPrompt(tokenizer, messages, { memory, prefill: openingOf(request) }) };
}

function renderPrompt(
  tokenizer: Tokenizer,
  conversation: Conversation,
  options: { readonly memory: SampledMemory | undefined; readonly prefill: Prefill | undefined },
): TokenId[] {
  return renderForCompletion(conversation, tokenizer, {
    ...(options.memory && { sampled: options.memory }),
    ...(options.prefill && { prefill: options.prefill }),
  });
}

interface Run {
  readonly model: AgentModel;
  readonly request: AgentRequest;
  readonly conversation: Message[];
  readonly offer: ToolOffer;
  readonly memory: SampledMemory;
  usage: Usage;
  /** Turns begin inside the final channel. */
  isForced: boolean;
  /** Of the first turn's answer. */
  answerStart: string | undefined;
  /** As far as it is not fulfilled. */
  toolChoice: ToolChoice;
}

function openRun(model: AgentModel, request: AgentRequest): Run {
  const conversation = openConversation(request);
  const run: Run = {
    model,
    request,
    conversation: [...conversation],
    offer: { tools: request.tools ?? {}, recipients: toolRecipients(conversation) },
    memory: request.memory ?? new Map(),
    usage: noUsage,
    isForced: isForced(request),
    answerStart: request.answerStart,
    toolChoice: request.toolChoice ?? "auto",
  };
  checkToolChoice(rulesOf(run));
  checkConstraint(constraintOf(run), request);
  return run;
}

const rulesOf = ({ request, offer, toolChoice }: Run): TurnRules => ({
  tools: offer.tools,
  recipients: offer.recipients,
  toolChoice,
  responseFormat: request.responseFormat,
});

function constraintOf(run: Run): TokenConstraint | undefined {
  const opening = { isInFinal: run.isForced, mayThink: run.request.effort !== "none" };
  return turnConstraint(run.model.tokenizer, rulesOf(run), opening);
}

/** The engine compiles grammars too, but only when it is asked for the first token. */
function checkConstraint(
  constraint: TokenConstraint | undefined,
  { answerStart, responseFormat }: AgentRequest,
): void {
  const states = constraint?.states ?? [];
  checkGrammar(...states.flatMap((state) => (state.kind === "grammar" ? [state.grammar] : [])));
  if (answerStart === undefined || responseFormat === undefined) return;
  throw new GptOssError("engine/bad-grammar", {
    message: "an answer that was begun cannot be held to a format",
    hint: "give either answerStart or responseFormat",
  });
}

/** Without effort the answer comes at once, unless a call is to come first. */
const isForced = ({ effort, answerStart, toolChoice = "auto" }: AgentRequest): boolean =>
  (effort === "none" && !demandsCall(toolChoice)) || answerStart !== undefined;

/** Skips, or ends, the reasoning: what the model samples next is its answer. */
const finalChannel = (text: string | undefined): Prefill => ({
  channel: "final",
  ...(text !== undefined && { text }),
});

const openingOf = (request: AgentRequest): Prefill | undefined =>
  isForced(request) ? finalChannel(request.answerStart) : undefined;

function forceAnswer(run: Run, reason: "turn-limit" | "no-answer"): AgentEvent {
  run.isForced = true;
  return { type: "note", note: { kind: "answer-forced", reason } };
}

function turnOptions(run: Run): TurnOptions {
  const { model, request, conversation, offer, memory, usage } = run;
  const { engine, tokenizer } = model;
  const { maxTokens, sampling, topLogprobs, signal } = request;
  const prefill = run.isForced ? finalChannel(run.answerStart) : undefined;
  const constraint = constraintOf(run);
  return {
    engine,
    tokenizer,
    prefill: prefill ? prefillTokens(prefill, tokenizer) : [],
    recipients: offer.recipients,
    stop: request.stop ?? [],
    request: {
      tokens: renderPrompt(tokenizer, conversation, { memory, prefill }),
      stopTokens: stopTokens(tokenizer, model.stopTokens),
      ...(maxTokens !== undefined && { maxTokens: maxTokens - usage.outputTokens }),
      ...(sampling && { sampling }),
      ...(topLogprobs !== undefined && { topLogprobs }),
      ...(constraint && { constraint }),
      ...(signal && { signal }),
    },
  };
}

/** Adds what was said to the conversation, and to the memory in which tokens it was said. */
function append({ conversation, memory, model }: Run, kept: readonly KeptMessage[]): void {
  const { sampled } = sampledHistory(
    kept.map(({ parsed }) => parsed),
    model.tokenizer,
  );
  for (const { message, parsed } of kept) {
    conversation.push(message);
    const tokens = sampled.get(parsed.message);
    if (tokens && message === parsed.message) memory.set(message, tokens);
  }
}

/** The model stopped while it was thinking, or calling nobody. */
function isSilent(kept: readonly KeptMessage[]): boolean {
  const last = kept.at(-1);
  return last === undefined || last.kind === "reasoning" || last.parsed.terminator === "call";
}
