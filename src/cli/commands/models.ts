import { Command } from "commander";
import { parameterCounts } from "../../checkpoint/index.ts";
import { type ListedModel, listModels } from "../../library/node/index.ts";
import { jsonOption } from "../options.ts";
import { formatBytes, printJson, printLine, printNote } from "../terminal.ts";

/** `gpt-oss models`: what `--model` can name on this machine. */
export const modelsCommand = (): Command =>
  new Command("models")
    .summary("the models on this machine, by the names that --model takes")
    .description(
      "Lists the embedded model, those in the cache of Hugging Face's tools, and those in Ollama's store. Checkpoints in " +
        "other folders are not listed; --model takes their path.",
    )
    .addOption(jsonOption("the list"))
    .action(async ({ json }: { readonly json?: true }) => {
      const models = await listModels();
      if (json) return printJson(models.map(asJson));
      for (const line of table(models)) printLine(line);
      for (const { name, opened } of models) if ("problem" in opened) printNote(`${name}: ${opened.problem}`);
    });

function asJson({ name, source, path, bytes, opened }: ListedModel) {
  const isComplete = !("problem" in opened);
  return {
    name,
    source,
    path,
    bytes,
    isComplete,
    layout: isComplete ? opened.layout : null,
    parameters: isComplete ? parameterCounts(opened.config).total : null,
    problem: isComplete ? null : opened.problem,
  };
}

function table(models: readonly ListedModel[]): string[] {
  const rows = models.map(({ name, bytes, path, opened }) => [
    name,
    formatBytes(bytes),
    "problem" in opened ? "not usable" : opened.layout,
    path,
  ]);
  const all = [["name", "size", "layout", "path"], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]))).join("  "),
  );
}
