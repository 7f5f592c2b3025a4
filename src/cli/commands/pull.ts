import { Command, Option } from "commander";
import type { PullLayout } from "../../checkpoint/node/index.ts";
import { jsonOption } from "../options.ts";
import { pullWithProgress } from "../pull.ts";
import { printJson, printLine } from "../terminal.ts";

interface Options {
  readonly layout?: PullLayout;
  readonly file?: string;
  readonly check?: true;
  readonly json?: true;
}

/** `gpt-oss pull`: a model from Hugging Face. */
export const pullCommand = (): Command =>
  new Command("pull")
    .summary("download a model from Hugging Face")
    .description(
      "Downloads a model into the cache that Python's tools share, and prints its folder. It says first how much disk " +
        "and memory are needed. Interrupted, it continues the next time. HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and " +
        "HF_HUB_OFFLINE mean what they mean to those tools. All other commands work without a network.",
    )
    .argument("<model>", "20b, 120b, or org/name, with @revision if need be")
    .addOption(
      new Option(
        "--layout <layout>",
        "which of the published layouts (default: huggingface, else gguf)",
      ).choices(["huggingface", "original", "gguf"]),
    )
    .option("--file <path>", "of a repository with several GGUF models, this one")
    .option("--check", "read what is here, too, and fetch again what is damaged")
    .addOption(jsonOption("what was downloaded, and where it lies,"))
    .action(async (name: string, options: Options) => {
      const { json, ...wishes } = options;
      const plan = await pullWithProgress(name, wishes);
      if (!json) return printLine(plan.path);
      const { repository, revision = "main" } = plan.name;
      const files = plan.files.map(({ path, size, hash }) => ({ path, bytes: size, [hash.kind]: hash.hex }));
      printJson({
        model: repository,
        revision,
        commit: plan.commit,
        layout: plan.layout,
        path: plan.path,
        bytes: plan.totalBytes,
        fetchedBytes: plan.missingBytes,
        memoryBytes: plan.memoryBytes,
        files,
      });
    });
