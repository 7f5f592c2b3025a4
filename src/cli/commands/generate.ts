// `gpt-oss generate`: one answer and nothing around it, for people in a hurry and for programs.

import { Command } from "commander";
import type { Answer } from "../../agent/index.ts";
import { conversationFromJson, conversationToJson, type Message } from "../../harmony/index.ts";
import type { Input, RespondOptions } from "../../library/index.ts";
import type { LoadedGptOss, ModelInfo } from "../../library/node/index.ts";
import { addFormatOptions, answerFormatOf, type FormatFlags } from "../answer-format.ts";
import { generateFromTokens, type RawOptions } from "../generate-tokens.ts";
import { checkInVocabulary, parseJson, readFileOrStdin, readText, readTokenIds } from "../input.ts";
import { announce, loadCli, loadCliEngine } from "../model.ts";
import {
  addModelOptions,
  addSamplingOptions,
  effortOption,
  jsonOption,
  type ModelOptions,
  maxTokensOption,
  modelTokenIdsHelp,
  type RespondFlags,
  respondOptionsOf,
  samplingOf,
} from "../options.ts";
import { answerPrinter } from "../print-answer.ts";
import { badArgument } from "../report.ts";
import { interruptible, printJson } from "../terminal.ts";

interface Options extends ModelOptions, RespondFlags, FormatFlags {
  readonly conversation?: string;
  readonly tokens?: string;
  readonly raw?: true;
  readonly json?: true;
  readonly showReasoning?: true;
}

export const generateCommand = (): Command => {
  const command = new Command("generate")
    .summary("one answer to a prompt, a conversation or tokens")
    .description(
      "Answers a prompt (argument or stdin), continues a conversation, or continues tokens as they are.\n" +
        'With --json prints {"tokens": […], "text": "…", "finishReason": "…", "usage": {…}, "messages": […]}: the ' +
        "sampled tokens with their stop token; as text the answer, or with --tokens and --raw the text of all tokens.",
    )
    .argument("[prompt]", "default, and for `-`: stdin")
    .option("--conversation <file>", "continue this conversation (JSON, as `render` takes it); `-` for stdin")
    .option("--tokens <ids>", `continue these tokens. ${modelTokenIdsHelp}`)
    .option("--raw", "print everything that is sampled, control tokens too")
    .option("--show-reasoning", "print the reasoning before the answer")
    .option("--instructions <text>", "what the model is told beside the prompt (a system prompt)")
    .addOption(effortOption())
    .addOption(maxTokensOption())
    .addOption(jsonOption("tokens, text and more"));
  return addModelOptions(addSamplingOptions(addFormatOptions(command))).action(
    async (prompt: string | undefined, options: Options) => {
      const sources = [prompt, options.conversation, options.tokens].filter((source) => source !== undefined);
      if (sources.length > 1) throw badArgument("give one of a prompt, --conversation and --tokens");
      const { tokens, conversation } = options;
      if (tokens === undefined) {
        const input = await readInput(prompt, conversation);
        await interruptible((signal) => fromConversation(input, options, signal));
      } else {
        const ids = await readTokenIds(tokens);
        await interruptible((signal) => fromTokens(ids, options, signal));
      }
    },
  );
};

async function readInput(prompt: string | undefined, conversation: string | undefined): Promise<Input> {
  if (conversation === undefined) return readText(prompt);
  const text = await readFileOrStdin(conversation);
  return conversationFromJson(parseJson(text, conversation)).map(asItIs);
}

/** In this JSON form, text in a system or developer message is that message's whole text. */
function asItIs(message: Message): Message {
  const isInstructing = message.role === "system" || message.role === "developer";
  return isInstructing && typeof message.content === "string"
    ? { ...message, content: [message.content] }
    : message;
}

async function fromTokens(tokens: readonly number[], options: Options, signal: AbortSignal): Promise<void> {
  const { engine, tokenizer, info, close } = await loadCliEngine(options, signal);
  try {
    checkInVocabulary(tokens, { size: info.config.vocabularySize }, options.model);
    await generateFromTokens(
      { engine, tokenizer, stopTokens: info.config.stopTokens },
      tokens,
      rawOptions(options, info, signal),
    );
    signal.throwIfAborted();
  } finally {
    await close();
  }
}

async function fromConversation(input: Input, options: Options, signal: AbortSignal): Promise<void> {
  const responseFormat = await answerFormatOf(options);
  const model = await loadCli(options, signal, { thread: "same" });
  if (!options.json) announce(model.info, options.model);
  try {
    const respondOptions = {
      ...respondOptionsOf(options),
      ...(responseFormat && { responseFormat }),
      signal,
    };
    if (options.raw) {
      const { tokens: prompt } = model.prompt(input, respondOptions);
      const { engine, tokenizer, info } = model;
      await generateFromTokens(
        { engine, tokenizer, stopTokens: info.config.stopTokens },
        prompt,
        rawOptions(options, info, signal),
      );
    } else await answer(model, input, { ...respondOptions, ...options });
    signal.throwIfAborted();
  } finally {
    await model.close();
  }
}

function rawOptions(options: Options, { defaults }: ModelInfo, signal: AbortSignal): RawOptions {
  const { maxTokens, json } = options;
  const { temperature } = defaults;
  return {
    sampling: { ...(temperature !== undefined && { temperature }), ...samplingOf(options) },
    asJson: json === true,
    signal,
    ...(maxTokens !== undefined && { maxTokens }),
  };
}

async function answer(model: LoadedGptOss, input: Input, options: RespondOptions & Options): Promise<void> {
  const stream = model.stream(input, options);
  if (options.json) {
    printJson(asJson(await stream.answer()));
    return;
  }
  const printer = answerPrinter({ showReasoning: options.showReasoning === true });
  for await (const event of stream) printer.add(event);
  printer.end();
}

function asJson({ tokens, text, reasoning, finishReason, usage, messages, toolCalls }: Answer) {
  return {
    tokens,
    text,
    reasoning,
    finishReason,
    usage,
    toolCalls: toolCalls.map((call) => ({ id: call.id, name: call.name, arguments: call.arguments })),
    ...conversationToJson(messages),
  };
}
