// From a request's body to what the model is asked and what the response will say about itself. Everything that can be
// wrong with a request is found here, before the first event.

import type { AgentRequest } from "../../agent/index.ts";
import type { SamplingOptions } from "../../engine/index.ts";
import { currentDate, type ServedModel, type ServerContext } from "../context.ts";
import { invalidValue, unsupported } from "../errors.ts";
import { type AskedChoice, effortOf, formatOf, toConversation, toolChoiceOf } from "../prompt/index.ts";
import { type FunctionName, functionsOf, type OfferedFunctions, qualifiedName } from "./functions.ts";
import { readInput } from "./input.ts";
import type { KeptItem } from "./kept-items.ts";
import { type Lookup, storeLookup } from "./lookup.ts";
import type { ReasoningSummary, ResponsesApiParts } from "./options.ts";
import type { CreateBody, FormatInput, ToolChoiceInput } from "./schema.ts";
import { withoutOldTurns } from "./truncate.ts";
import type { ResponseObject } from "./wire.ts";

/** A request that can be run. */
export interface Prepared {
  readonly model: ServedModel;
  /** Without a signal. */
  readonly request: AgentRequest & Required<Pick<AgentRequest, "memory" | "tools">>;
  /** As it begins. */
  readonly response: ResponseObject;
  readonly functionNames: OfferedFunctions["names"];
  /** The input of this request, and what was said in the responses before it. */
  readonly items: readonly KeptItem[];
  readonly before: readonly KeptItem[];
  readonly isSealed: boolean;
  /** Its thoughts come as a summary too. */
  readonly isSummarized: boolean;
  /** Who asked. */
  readonly keyName: string | undefined;
}

/** What becomes the prompt; requests that only count or compact have no more. */
export type PromptBody = Pick<CreateBody, "input" | "instructions" | "previous_response_id" | "model"> &
  Partial<CreateBody>;

export interface Asker {
  readonly keyName: string | undefined;
  /** Where earlier responses are found; default: in the store. */
  readonly lookup?: Lookup;
}

export async function prepare(
  api: ResponsesApiParts,
  body: PromptBody,
  { keyName, lookup = storeLookup(api.context.store.of(keyName)) }: Asker,
): Promise<Prepared> {
  refuseUnsupported(body);
  const { context } = api;
  const model = context.model(body.model);
  const tools = functionsOf(api, body.tools ?? []);
  const input = await readInput(body, { ...api, lookup, media: api.options.media, newId: context.newId });
  const { messages, memory } = toConversation(input.said, {
    thoughts: context.thoughts.of(model.id, keyName),
    ...(body.instructions != null && { instructions: body.instructions }),
  });
  const toolChoice = toolChoiceOf(askedChoice(body.tool_choice), tools.set);
  const responseFormat = formatOf(body.text?.format);
  const sampling = samplingOf(body, model);
  const topLogprobs = logprobsOf(body);
  const request = {
    messages,
    memory,
    tools: tools.set,
    effort: effortOf(body.reasoning?.effort, { tools: tools.set, toolChoice }),
    currentDate: currentDate(model, context.now()),
    sampling,
    ...(toolChoice !== undefined && { toolChoice }),
    ...(responseFormat && { responseFormat }),
    ...(body.max_output_tokens != null && { maxTokens: body.max_output_tokens }),
    ...(topLogprobs !== undefined && { topLogprobs }),
  };
  const fitting = body.truncation === "auto" ? withoutOldTurns(model, request) : request;
  return {
    model,
    request: fitting,
    response: openResponse({ context, body, model, tools, sampling }),
    functionNames: tools.names,
    items: input.items,
    before: input.before,
    isSealed: body.include?.includes("reasoning.encrypted_content") ?? false,
    isSummarized: isSummarized(api.options.reasoningSummary, body),
    keyName,
  };
}

function isSummarized(when: ReasoningSummary, { reasoning }: PromptBody): boolean {
  return when === "always" || (when === "asked" && reasoning?.summary != null);
}

function refuseUnsupported(body: PromptBody): void {
  const param = (["conversation", "prompt"] as const).find((name) => body[name] != null);
  if (param === undefined) return;
  throw unsupported(param, `Unsupported parameter: '${param}' is not supported by this server.`);
}

function askedChoice(choice: ToolChoiceInput | null | undefined): AskedChoice | undefined {
  if (choice == null || typeof choice === "string") return choice ?? undefined;
  if (choice.type === "function") return { function: qualifiedName(choice as FunctionName) };
  if (choice.type !== "allowed_tools")
    throw invalidValue("tool_choice", `Tool choice '${choice.type.slice(0, 60)}' not found in 'tools'.`);
  const { mode, tools } = choice as Extract<ToolChoiceInput, { type: "allowed_tools" }>;
  if (mode === "none") return "none";
  const allowed = tools.flatMap(({ type, name, namespace }) =>
    type === "function" && name !== undefined ? [qualifiedName({ name, namespace })] : [],
  );
  return { allowed, mode: mode ?? "auto" };
}

type Sampling = SamplingOptions &
  Required<Pick<SamplingOptions, "temperature" | "topP" | "frequencyPenalty" | "presencePenalty">>;

function samplingOf(body: PromptBody, { defaults }: ServedModel): Sampling {
  return {
    temperature: body.temperature ?? defaults?.temperature ?? 1,
    topP: body.top_p ?? 1,
    frequencyPenalty: body.frequency_penalty ?? 0,
    presencePenalty: body.presence_penalty ?? 0,
    ...(body.seed != null && { seed: body.seed }),
  };
}

function logprobsOf({ include, top_logprobs }: PromptBody): number | undefined {
  if (include?.includes("message.output_text.logprobs")) return top_logprobs ?? 0;
  return top_logprobs == null || top_logprobs === 0 ? undefined : top_logprobs;
}

interface Opening {
  readonly context: ServerContext;
  readonly body: PromptBody;
  readonly model: ServedModel;
  readonly tools: OfferedFunctions;
  readonly sampling: Sampling;
}

/** Every key, always: clients' schemas ask for all of them. */
function openResponse({ context, body, model, tools, sampling }: Opening): ResponseObject {
  const isBackground = body.background ?? false;
  return {
    id: context.newId("resp"),
    object: "response",
    created_at: Math.floor(context.now() / 1000),
    completed_at: null,
    status: isBackground ? "queued" : "in_progress",
    incomplete_details: null,
    error: null,
    model: model.id,
    previous_response_id: body.previous_response_id ?? null,
    instructions: body.instructions ?? null,
    output: [],
    tools: tools.echo,
    tool_choice: body.tool_choice ?? "auto",
    truncation: body.truncation ?? "disabled",
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    text: {
      format: formatEcho(body.text?.format),
      ...(body.text?.verbosity != null && { verbosity: body.text.verbosity }),
    },
    top_p: sampling.topP,
    presence_penalty: sampling.presencePenalty,
    frequency_penalty: sampling.frequencyPenalty,
    top_logprobs: body.top_logprobs ?? 0,
    temperature: sampling.temperature,
    reasoning: { effort: body.reasoning?.effort ?? "medium", summary: body.reasoning?.summary ?? null },
    usage: null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    store: body.store ?? true,
    background: isBackground,
    service_tier: "default",
    metadata: body.metadata ?? {},
    safety_identifier: body.safety_identifier ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
  };
}

function formatEcho(format: FormatInput | null | undefined): unknown {
  if (format == null) return { type: "text" };
  if (format.type !== "json_schema") return { type: format.type };
  const { name, description, schema, strict } = format;
  return {
    type: "json_schema",
    name: name ?? "answer",
    description: description ?? null,
    schema: schema ?? true,
    strict: strict ?? false,
  };
}
