import { Command } from "commander";
import type { TokenId } from "../../tokenizer/index.ts";
import { checkInVocabulary, readTokenIds } from "../input.ts";
import { cliTokenizer } from "../model.ts";
import { jsonOption, tokenIdsHelp, tokenizerOption } from "../options.ts";
import { print, printJson } from "../terminal.ts";

/** `gpt-oss detokenize`: token ids → text. */
export const detokenizeCommand = (): Command =>
  new Command("detokenize")
    .summary("token ids to text")
    .description(
      "Turns token ids into text; control tokens appear as `<|end|>` and the like. Adds no line end.",
    )
    .argument("[ids]", tokenIdsHelp)
    .addOption(tokenizerOption())
    .addOption(jsonOption('{"text": …}'))
    .action(async (ids: string | undefined, options: { readonly model?: string; readonly json?: true }) => {
      const tokenizer = await cliTokenizer(options.model);
      const tokens = await readTokenIds(ids);
      const has = (id: number): boolean => tokenizer.bytes(id as TokenId) !== undefined;
      checkInVocabulary(tokens, { size: tokenizer.vocabularySize, has }, options.model);
      const text = tokenizer.decode(tokens as TokenId[]);
      if (options.json) printJson({ text });
      else print(text);
    });
