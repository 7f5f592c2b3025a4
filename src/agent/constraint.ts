// What may be sampled in one turn, for requests that want more than the model's word: which headers a message may have,
// what a final answer and a call's arguments may be. Thoughts stay free in every case, and every message ends as
// harmony says. Knows harmony's tokens; the engine that enforces it does not.

import { GptOssError } from "../base/index.ts";
import type { ConstraintPath, ConstraintState, Grammar, TokenConstraint } from "../engine/index.ts";
import { prefillTokens } from "../harmony/index.ts";
import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import type { AnswerFormat, ToolChoice } from "./request.ts";
import type { ToolSet } from "./tool.ts";

export interface TurnRules {
  readonly tools: ToolSet;
  /** Everything that the conversation offers to call, such as `functions.get_weather`. */
  readonly recipients: readonly string[];
  readonly toolChoice: ToolChoice;
  readonly responseFormat: AnswerFormat | undefined;
}

export interface TurnOpening {
  /** The prompt ends inside the final message, and not after `<|start|>assistant`. */
  readonly isInFinal: boolean;
  /** An analysis message may come. */
  readonly mayThink: boolean;
}

/** Whether the choice is not fulfilled before a call. */
export function demandsCall(choice: ToolChoice): boolean {
  if (typeof choice === "string") return choice === "required";
  return "function" in choice || choice.mode === "required";
}

/** What is left of the choice once a call was made. */
export function afterCall(choice: ToolChoice): ToolChoice {
  if (typeof choice === "object" && "allowed" in choice) return { ...choice, mode: "auto" };
  return demandsCall(choice) ? "auto" : choice;
}

/** Throws `agent/bad-tool` for a choice of what is not offered. */
export function checkToolChoice({ toolChoice, recipients }: TurnRules): void {
  const chosen = namesOf(toolChoice);
  const unknown = chosen?.find((name) => recipientOf(name, recipients) === undefined);
  if (unknown !== undefined) {
    throw badChoice(`the tool choice names ${JSON.stringify(unknown)}, which is not offered`, recipients);
  }
  if (demandsCall(toolChoice) && (chosen ?? recipients).length === 0) {
    throw badChoice("the tool choice demands a call, and there is nothing to call", recipients);
  }
}

/** Without anything to enforce there is no constraint, and sampling is as it was. */
export function turnConstraint(
  tokenizer: Tokenizer,
  rules: TurnRules,
  opening: TurnOpening,
): TokenConstraint | undefined {
  const { tools, toolChoice, responseFormat } = rules;
  const isStrict = Object.values(tools).some(({ strict }) => strict === true);
  if (!isStrict && toolChoice === "auto" && responseFormat === undefined) return undefined;
  const callable = callableFrom(rules);
  const demanded = demandsCall(toolChoice);
  const builder = createBuilder(tokenizer);
  const { special } = tokenizer;

  const first = builder.reserve();
  const afterThought = builder.reserve();
  const afterPreamble = builder.reserve();
  const done = builder.add({ kind: "free", on: new Map() });
  const thought = builder.add(freeText(tokenizer, new Map([[special.end, afterThought]])));
  const preamble = builder.add(freeText(tokenizer, new Map([[special.end, afterPreamble]])));
  const final = builder.add(
    responseFormat === undefined
      ? freeText(tokenizer, new Map([[special.return, done]]))
      : { kind: "grammar", grammar: grammarOf(responseFormat), on: new Map([[special.return, done]]) },
  );
  const calls = callable.flatMap((recipient) => {
    const body = argumentsOf(recipient, tools);
    const on = new Map([[special.call, done]]);
    const to = builder.add(
      body === undefined ? freeText(tokenizer, on) : { kind: "grammar", grammar: body, on },
    );
    return callHeaders(tokenizer, recipient).map((tokens) => ({ tokens, to }));
  });
  const plain = (channel: string, to: number): ConstraintPath => ({
    tokens: prefillTokens({ channel }, tokenizer),
    to,
  });
  const thinking = plain("analysis", thought);
  const answering = demanded ? [] : [plain("final", final)];
  // In front of formatted answers a preamble would be shown as part of them.
  const announcing =
    demanded || callable.length === 0 || responseFormat !== undefined ? [] : [plain("commentary", preamble)];
  const acting = [...answering, ...announcing, ...calls];
  builder.set(first, opening.mayThink ? [thinking, ...acting] : acting);
  // One thought is enough where an answer is owed; else thoughts could go on without end.
  builder.set(afterThought, begun(tokenizer, demanded ? acting : [thinking, ...acting]));
  builder.set(afterPreamble, begun(tokenizer, [thinking, ...acting]));
  return builder.build(opening.isInFinal ? final : first);
}

interface Builder {
  reserve(): number;
  add(state: ConstraintState): number;
  set(index: number, paths: readonly ConstraintPath[]): void;
  /** With this state first. */
  build(first: number): TokenConstraint;
}

function createBuilder(tokenizer: Tokenizer): Builder {
  const states: ConstraintState[] = [];
  const nowhere: ConstraintState = freeText(tokenizer, new Map());
  const add = (state: ConstraintState): number => states.push(state) - 1;
  return {
    reserve: () => add(nowhere),
    add,
    set(index, paths) {
      states[index] = { kind: "paths", paths };
    },
    build(first) {
      if (first === 0) return { states };
      // State 0 is where a constraint begins; nothing leads back to it.
      return { states: [states[first], ...states.slice(1)] };
    },
  };
}

/** Any ordinary text; of control tokens only those that end it. */
function freeText({ special }: Tokenizer, on: ReadonlyMap<number, number>): ConstraintState {
  const forbidden = Object.values(special).filter((token) => !on.has(token));
  return { kind: "free", forbidden, on };
}

/** The same headers, of a message that is not the first. */
function begun(tokenizer: Tokenizer, paths: readonly ConstraintPath[]): ConstraintPath[] {
  const start = [tokenizer.special.start, ...tokenizer.encode("assistant")];
  return paths.map(({ tokens, to }) => ({ tokens: [...start, ...tokens], to }));
}

const functionPrefix = "functions.";
const constrained = "<|constrain|>json";

/** The recipient may stand before or after the channel; models write both. */
function callHeaders(tokenizer: Tokenizer, recipient: string): TokenId[][] {
  const isFunction = recipient.startsWith(functionPrefix);
  // Tools that are no functions belong to the chain of thought, and take code as well as JSON.
  const channels = isFunction ? ["commentary"] : ["analysis", "commentary"];
  const contentTypes = isFunction
    ? [constrained, "json", undefined]
    : [constrained, "json", "code", undefined];
  return channels.flatMap((channel) =>
    contentTypes.flatMap((contentType) => {
      const type = contentType === undefined ? {} : { contentType };
      return [
        prefillTokens({ channel, recipient, ...type }, tokenizer),
        // In the other order: what stands in the place of a channel is written as it is.
        prefillTokens({ channel: `${channel} to=${recipient}`, ...type }, tokenizer),
      ];
    }),
  );
}

/** Arguments that are not strict are still JSON, as a forced call would otherwise be any text. */
function argumentsOf(recipient: string, tools: ToolSet): Grammar | undefined {
  if (!recipient.startsWith(functionPrefix)) return undefined;
  const name = recipient.slice(functionPrefix.length);
  const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
  if (tool?.strict !== true) return { type: "json" };
  const { strictParameters, parameters } = tool;
  const nothing = { type: "object", additionalProperties: false };
  return { type: "json-schema", schema: strictParameters ?? parameters ?? nothing };
}

function grammarOf(format: AnswerFormat): Grammar {
  return format.type === "json-schema" ? { type: "json-schema", schema: format.schema } : format;
}

function callableFrom({ toolChoice, recipients }: TurnRules): readonly string[] {
  if (toolChoice === "none") return [];
  const chosen = namesOf(toolChoice)?.flatMap((name) => recipientOf(name, recipients) ?? []);
  return [...new Set(chosen ?? recipients)];
}

function namesOf(choice: ToolChoice): readonly string[] | undefined {
  if (typeof choice === "string") return undefined;
  return "function" in choice ? [choice.function] : choice.allowed;
}

/** By a function's name or by a whole recipient, such as `browser.search`. */
function recipientOf(name: string, recipients: readonly string[]): string | undefined {
  return [functionPrefix + name, name].find((recipient) => recipients.includes(recipient));
}

function badChoice(message: string, recipients: readonly string[]): GptOssError {
  const offered = recipients.map((recipient) => recipient.replace(functionPrefix, "")).join(", ");
  return new GptOssError("agent/bad-tool", { message, hint: `offered are: ${offered || "none"}` });
}
