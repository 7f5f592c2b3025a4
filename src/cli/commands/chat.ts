// `gpt-oss chat`: options and the model; the conversation itself is in ../chat.ts.

import { Command } from "commander";
import type { LoadedGptOss } from "../../library/node/index.ts";
import { askOnce, converse } from "../chat.ts";
import { announce, loadCli } from "../model.ts";
import {
  addModelOptions,
  addSamplingOptions,
  effortOption,
  type ModelOptions,
  maxTokensOption,
  type RespondFlags,
  respondOptionsOf,
} from "../options.ts";
import { offerToPull } from "../pull.ts";
import { badArgument } from "../report.ts";
import { interruptible } from "../terminal.ts";

interface Options extends ModelOptions, RespondFlags {
  readonly showReasoning?: true;
}

/** `gpt-oss chat`: questions and answers. */
export const chatCommand = (): Command => {
  const command = new Command("chat")
    .summary("talk with the model, or ask one question")
    .description(
      "With a question: answers it and ends. Without: a conversation, in the terminal or line by line from stdin.\n" +
        "/help lists what else can be typed; Ctrl-C stops an answer, and at the prompt the program.",
    )
    .argument("[question...]", "ask this and end")
    .option("--show-reasoning", "print the reasoning, dimmed, before each answer")
    .option("--instructions <text>", "what the model is told beside the conversation (a system prompt)")
    .addOption(effortOption())
    .addOption(maxTokensOption());
  return addModelOptions(addSamplingOptions(command)).action(async (words: string[], options: Options) => {
    const question = words.length > 0 ? words.join(" ") : undefined;
    if (question?.trim() === "") throw badArgument("the question is empty");
    refuseMistypedCommand(question, command);
    await offerToPull(options.model);
    const settings = { ...respondOptionsOf(options), showReasoning: options.showReasoning === true };
    if (question === undefined) {
      const model = await interruptible((signal) => open(options, signal));
      return closing(model, () => converse(model, settings));
    }
    return interruptible(async (signal) => {
      const model = await open(options, signal, "same");
      return closing(model, () => askOnce(model, question, { settings, signal }));
    });
  });
};

async function open(
  options: Options,
  signal: AbortSignal,
  thread: "worker" | "same" = "worker",
): Promise<LoadedGptOss> {
  const model = await loadCli(options, signal, { thread });
  announce(model.info, options.model);
  return model;
}

async function closing(model: LoadedGptOss, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await model.close();
  }
}

/** `gpt-oss tokenise` comes here as a question, because chat is what runs without a command. */
function refuseMistypedCommand(question: string | undefined, command: Command): void {
  const isNamed = command.parent?.args[0] === command.name();
  if (isNamed || question === undefined || /\s/.test(question)) return;
  throw badArgument(
    `there is no command ${question}`,
    `gpt-oss --help lists them; to ask the model: gpt-oss chat "${question}"`,
  );
}
