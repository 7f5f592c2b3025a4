import { Command } from "commander";
import { conversationToJson, parseTokens } from "../../harmony/index.ts";
import type { TokenId } from "../../tokenizer/index.ts";
import { readTokenIds } from "../input.ts";
import { cliTokenizer } from "../model.ts";
import { tokenIdsHelp, tokenizerOption } from "../options.ts";
import { printJson, printNote } from "../terminal.ts";

/** `gpt-oss parse`: tokens → messages. */
export const parseCommand = (): Command =>
  new Command("parse")
    .summary("token ids to messages")
    .description(
      "Reads tokens as messages and prints them as JSON, in the form of OpenAI's harmony library. Tokens that begin " +
        "with <|start|> are a conversation, others what a model sampled after <|start|>assistant. Any tokens are some " +
        "messages; what had to be repaired is noted on stderr.",
    )
    .argument("[ids]", tokenIdsHelp)
    .addOption(tokenizerOption())
    .option("--json", "accepted, for the output is JSON in any case")
    .action(async (ids: string | undefined, options: { readonly model?: string }) => {
      const tokenizer = await cliTokenizer(options.model);
      const tokens = (await readTokenIds(ids)) as TokenId[];
      const { messages, notes } = parseTokens(tokens, tokenizer);
      printJson(conversationToJson(messages.map(({ message }) => message)));
      for (const { at, kind, ...details } of notes) {
        printNote(
          `token ${at}: ${kind} ${Object.keys(details).length > 0 ? JSON.stringify(details) : ""}`.trimEnd(),
        );
      }
    });
