// `gpt-oss render`: a conversation → the tokens and the text that a model sees. Needs no model, only a tokenizer.

import { Command, Option } from "commander";
import {
  conversationFromJson,
  type RenderOptions,
  renderConversation,
  renderForCompletion,
  renderForTraining,
} from "../../harmony/index.ts";
import type { TokenId, Tokenizer } from "../../tokenizer/index.ts";
import { readFileOrStdin } from "../input.ts";
import { cliTokenizer } from "../model.ts";
import { jsonOption, tokenizerOption } from "../options.ts";
import { print, printJson } from "../terminal.ts";

const purposes = ["completion", "conversation", "training"] as const;

interface Options {
  readonly model?: string;
  readonly json?: true;
  readonly for: (typeof purposes)[number];
  readonly dropAnalysis?: true;
}

/** `gpt-oss render`: conversation → the tokens that the model sees. */
export const renderCommand = (): Command =>
  new Command("render")
    .summary("a conversation to the tokens a model sees")
    .description(
      "Renders a conversation, in the JSON form of OpenAI's harmony library, as tokens: all of it, and no more.\n" +
        'Prints them as text; with --json {"tokens": […], "text": "…"}.',
    )
    .argument("[file]", "JSON file with the conversation; default, and for `-`: stdin")
    .addOption(
      new Option("--for <purpose>", "completion ends in <|start|>assistant, training in <|return|>")
        .choices(purposes)
        .default("completion"),
    )
    .option(
      "--drop-analysis",
      "leave out the reasoning of turns that came to an answer, as chat and generate do",
    )
    .addOption(tokenizerOption())
    .addOption(jsonOption("tokens and text"))
    .action(async (file: string | undefined, options: Options) => {
      const tokenizer = await cliTokenizer(options.model);
      const tokens = tokensFor(await readFileOrStdin(file), tokenizer, options);
      const text = tokenizer.decode(tokens);
      if (options.json) printJson({ tokens, text });
      else print(text);
    });

function tokensFor(json: string, tokenizer: Tokenizer, options: Options): TokenId[] {
  const conversation = conversationFromJson(json);
  const renderOptions: RenderOptions = { analysis: options.dropAnalysis ? "drop-finished" : "keep" };
  switch (options.for) {
    case "completion":
      return renderForCompletion(conversation, tokenizer, renderOptions);
    case "conversation":
      return renderConversation(conversation, tokenizer, renderOptions);
    case "training":
      return renderForTraining(conversation, tokenizer, renderOptions).tokens;
    default:
      return options.for satisfies never;
  }
}
