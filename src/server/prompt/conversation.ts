// What a client says was said, as the conversation that the model sees. Shared by all APIs: each translates its own
// wire format into `Said`, and here it becomes harmony messages. Which old thoughts a prompt leaves out is harmony's
// rule; here those that the client lost are put back.

import { type SampledMemory, type ToolCall, toolResult } from "../../agent/index.ts";
import type { Message } from "../../harmony/index.ts";
import type { TokenId } from "../../tokenizer/index.ts";
import { HttpError } from "../errors.ts";
import type { SampledMessage, SampledText, Thoughts } from "../thoughts.ts";

/** One thing that was said, oldest first. */
export type Said =
  | { readonly type: "developer"; readonly text: string }
  | { readonly type: "user"; readonly text: string }
  /** `isPreamble`: said to the user before a call, such as a plan. */
  | { readonly type: "answer"; readonly text: string; readonly isPreamble?: boolean }
  | { readonly type: "reasoning"; readonly text: string }
  | SaidCall
  | SaidResult;

export interface SaidCall {
  readonly type: "call";
  readonly callId: string;
  readonly name: string;
  /** As the model wrote them. */
  readonly arguments: string;
}

export interface SaidResult {
  readonly type: "result";
  readonly callId: string;
  readonly output: string;
  /** Where in the request, for the error when there is no such call. */
  readonly param: string;
}

export interface Spoken {
  readonly messages: Message[];
  /** For `AgentRequest.memory`: the tokens of the messages that this server sampled. */
  readonly memory: SampledMemory;
}

export interface ConversationOptions {
  readonly thoughts: Thoughts;
  /** Of the request; developer messages at the beginning follow them. */
  readonly instructions?: string;
}

/** Throws 400 `invalid_function_call_output` for a result without its call. */
export function toConversation(said: readonly Said[], options: ConversationOptions): Spoken {
  const spoken: Speaking = { ...options, messages: [], memory: new Map(), calls: new Map() };
  const firstTurn = said.findIndex(({ type }) => type !== "developer");
  const leading = firstTurn < 0 ? said.length : firstTurn;
  const developer = said.slice(0, leading).map((one) => (one as { readonly text: string }).text);
  if (options.instructions !== undefined) developer.unshift(options.instructions);
  if (developer.length > 0) spoken.messages.push(developerMessage(developer.join("\n\n")));
  for (const one of said.slice(leading)) add(spoken, one);
  return { messages: spoken.messages, memory: spoken.memory };
}

const developerMessage = (instructions: string): Message => ({
  role: "developer",
  content: { instructions },
});

interface Speaking extends ConversationOptions {
  readonly messages: Message[];
  readonly memory: Map<Message, readonly TokenId[]>;
  readonly calls: Map<string, ToolCall>;
}

function add(spoken: Speaking, said: Said): void {
  const { messages } = spoken;
  switch (said.type) {
    case "developer":
      messages.push(developerMessage(said.text));
      break;
    case "user":
      messages.push({ role: "user", content: said.text });
      break;
    case "reasoning":
      if (said.text !== "") addText(spoken, "analysis", said.text);
      break;
    case "answer":
      addText(spoken, said.isPreamble ? "commentary" : "final", said.text);
      break;
    case "call":
      addCall(spoken, said);
      break;
    case "result":
      addResult(spoken, said);
      break;
    default:
      said satisfies never;
  }
}

function addText(spoken: Speaking, channel: string, content: string): void {
  const message: SampledText = { role: "assistant", channel, content };
  const tokens = spoken.thoughts.tokens(channel, content);
  spoken.messages.push(remember(spoken, { message, ...(tokens && { tokens }) }));
}

function remember(spoken: Speaking, { message, tokens }: SampledMessage): Message {
  if (tokens) spoken.memory.set(message, tokens);
  return message;
}

function addCall(spoken: Speaking, { callId, name, arguments: text }: SaidCall): void {
  const known = spoken.thoughts.call(callId);
  const recipient = `functions.${name}`;
  const isSame =
    known && known.message.recipient === recipient && callArguments(known.message.content) === text;
  if (isSame) restoreThoughts(spoken, known.thoughts);
  const message: SampledText = isSame
    ? known.message
    : {
        role: "assistant",
        recipient,
        channel: "commentary",
        contentType: "<|constrain|>json",
        content: text,
      };
  spoken.messages.push(isSame ? remember(spoken, known) : message);
  spoken.calls.set(callId, { id: callId, name, arguments: text, message });
}

/** Models write no body at all for functions without parameters; clients parse what they get as JSON. */
export const callArguments = (body: string): string => (body === "" ? "{}" : body);

/** Before the call and what was said to the user on the way to it, unless the client sent thoughts of its own. */
function restoreThoughts(spoken: Speaking, thoughts: readonly SampledMessage[]): void {
  const { messages } = spoken;
  let place = messages.length;
  while (isPreamble(messages[place - 1])) place--;
  if (isThought(messages[place - 1])) return;
  messages.splice(place, 0, ...thoughts.map((thought) => remember(spoken, thought)));
}

const isPreamble = (message: Message | undefined): boolean =>
  message?.role === "assistant" && message.channel === "commentary" && message.recipient === undefined;
const isThought = (message: Message | undefined): boolean =>
  message?.role === "assistant" && message.channel === "analysis";

function addResult(spoken: Speaking, { callId, output, param }: SaidResult): void {
  const call = spoken.calls.get(callId);
  if (!call) {
    throw new HttpError(400, {
      code: "invalid_function_call_output",
      param,
      message: `There is no function call with call_id '${callId.slice(0, 100)}' before this output.`,
    });
  }
  spoken.messages.push(toolResult(call, output));
}
