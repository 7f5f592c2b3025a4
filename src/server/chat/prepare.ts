// From a request's body to what the agent is asked. Everything that can be wrong with it is found here.

import type { AgentRequest, SampledMemory, ToolSet } from "../../agent/index.ts";
import { currentDate, type ServedModel, type ServerContext } from "../context.ts";
import { HttpError, invalidValue, unsupported } from "../errors.ts";
import {
  type AskedChoice,
  type DeclaredFunction,
  effortOf,
  formatOf,
  type MediaPolicy,
  toConversation,
  toolChoiceOf,
  toolSetOf,
} from "../prompt/index.ts";
import { samplingOf, stopOf } from "../sampling.ts";
import type { Thoughts } from "../thoughts.ts";
import { historyOf } from "./messages.ts";
import type { ChatBody } from "./request.ts";

export interface PreparedChat {
  readonly model: ServedModel;
  /** One for each choice, without a signal. */
  readonly requests: readonly AgentRequest[];
  readonly memory: SampledMemory;
  readonly thoughts: Thoughts;
  readonly functionNames: ReadonlySet<string>;
  /** Calls go by `function_call`, as before there were tools. */
  readonly isLegacy: boolean;
  readonly showsReasoning: boolean;
  readonly withLogprobs: boolean;
}

export interface ChatAsked {
  readonly media: MediaPolicy;
  /** Who asks. */
  readonly keyName: string | undefined;
}

export function prepareChat(
  context: ServerContext,
  body: ChatBody,
  { media, keyName }: ChatAsked,
): PreparedChat {
  refuseUnsupported(body);
  const model = context.model(body.model);
  const { said, answerStart } = historyOf(body.messages, media);
  const thoughts = context.thoughts.of(model.id, keyName);
  const { messages, memory } = toConversation(said, { thoughts });
  const isLegacy = body.tools == null && body.functions != null;
  const tools = toolsOf(body);
  const toolChoice = toolChoiceOf(choiceOf(body), tools);
  const responseFormat = formatOf(formatAsked(body));
  if (answerStart !== undefined && (responseFormat || toolChoice)) {
    const message =
      "The last message begins an answer, which cannot be combined with response_format or tool_choice.";
    throw invalidValue("messages", message);
  }
  const request: AgentRequest = {
    messages,
    memory,
    tools,
    effort: effortOf(effortAsked(body), { tools, toolChoice }),
    currentDate: currentDate(model, context.now()),
    maxTurns,
    ...(toolChoice && { toolChoice }),
    ...(responseFormat && { responseFormat }),
    ...(answerStart !== undefined && { answerStart }),
    ...limitsOf(body),
  };
  const requests = Array.from({ length: choicesOf(context, body) }, (_, choice) => ({
    ...request,
    sampling: samplingOf(body, model, choice),
  }));
  return {
    model,
    requests,
    memory,
    thoughts,
    functionNames: new Set(Object.keys(tools)),
    isLegacy,
    showsReasoning: body.reasoning?.exclude !== true && body.include_reasoning !== false,
    withLogprobs: body.logprobs === true,
  };
}

/** A model that calls what is not there is told so, and may try again a few times. */
const maxTurns = 8;

function refuseUnsupported(body: ChatBody): void {
  const refuse = (param: string, message: string): never => {
    throw unsupported(param, message);
  };
  if (body.audio != null || body.modalities?.some((modality) => modality !== "text"))
    refuse("modalities", "This model writes text only.");
  if (body.web_search_options != null) refuse("web_search_options", "This server has no search of its own.");
  for (const [index, tool] of (body.tools ?? []).entries()) {
    if (tool.type !== "function")
      refuse(`tools[${index}].type`, "Only tools of type 'function' are supported.");
    if (tool.function) continue;
    const message = `Missing required parameter: 'tools[${index}].function'.`;
    throw new HttpError(400, {
      code: "missing_required_parameter",
      param: `tools[${index}].function`,
      message,
    });
  }
  if (body.top_logprobs != null && body.top_logprobs > 0 && body.logprobs !== true)
    throw invalidValue("top_logprobs", "'top_logprobs' needs 'logprobs' to be true.");
}

function choicesOf({ limits }: ServerContext, { n }: ChatBody): number {
  const choices = n ?? 1;
  if (choices <= limits.choices) return choices;
  throw invalidValue("n", `'n' is ${choices}, and this server gives at most ${limits.choices} choices.`);
}

function toolsOf(body: ChatBody): ToolSet {
  if (body.tools != null) {
    const functions = body.tools.map((tool) => tool.function as DeclaredFunction);
    return toolSetOf(functions, (index) => `tools[${index}].function.name`);
  }
  return toolSetOf(body.functions ?? [], (index) => `functions[${index}].name`);
}

function choiceOf(body: ChatBody): AskedChoice | undefined {
  const choice = body.tool_choice ?? body.function_call ?? undefined;
  if (choice === undefined || typeof choice === "string") return choice;
  if ("name" in choice) return { function: choice.name };
  if (choice.type === "function") return { function: choice.function.name };
  const { mode, tools } = choice.allowed_tools;
  return { mode, allowed: tools.map((tool) => tool.function.name) };
}

function formatAsked({ response_format: format }: ChatBody) {
  return format?.type === "json_schema" ? { type: format.type, ...format.json_schema } : format;
}

function effortAsked(body: ChatBody) {
  const asked =
    body.reasoning_effort ?? body.reasoning?.effort ?? body.chat_template_kwargs?.reasoning_effort;
  return asked ?? (body.reasoning?.enabled === false ? "none" : undefined);
}

function limitsOf(body: ChatBody): Pick<AgentRequest, "maxTokens" | "stop" | "topLogprobs"> {
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  const stop = stopOf(body);
  return {
    ...(maxTokens != null && { maxTokens }),
    ...(stop.length > 0 && { stop }),
    ...(body.logprobs === true && { topLogprobs: body.top_logprobs ?? 0 }),
  };
}
