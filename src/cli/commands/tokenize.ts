import { Command } from "commander";
import type { TokenId, Tokenizer } from "../../tokenizer/index.ts";
import { readText } from "../input.ts";
import { cliTokenizer } from "../model.ts";
import { jsonOption, tokenizerOption } from "../options.ts";
import { printJson, printLine } from "../terminal.ts";

/** `gpt-oss tokenize`: text → token ids. */
export const tokenizeCommand = (): Command =>
  new Command("tokenize")
    .summary("text to token ids")
    .description(
      "Turns text into token ids, as ordinary text: `<|end|>` in it never becomes a control token.\n" +
        "Prints one line a token, its id and its text; with --json an array of ids.",
    )
    .argument("[text]", "default, and for `-`: stdin")
    .addOption(tokenizerOption())
    .addOption(jsonOption("an array of ids"))
    .action(async (text: string | undefined, options: { readonly model?: string; readonly json?: true }) => {
      const tokenizer = await cliTokenizer(options.model);
      const tokens = tokenizer.encode(await readText(text));
      if (options.json) printJson(tokens);
      else for (const token of tokens) printLine(`${token}\t${spelling(token, tokenizer)}`);
    });

/** Quoted text, or the bytes where a token holds only a part of a character. */
function spelling(token: TokenId, tokenizer: Tokenizer): string {
  const text = tokenizer.decode([token]);
  if (!text.includes("\u{fffd}")) return JSON.stringify(text);
  const bytes = tokenizer.bytes(token) ?? new Uint8Array();
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
