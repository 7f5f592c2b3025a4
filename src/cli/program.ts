// The program: its commands, its help, and how it ends. What a command does is in commands/.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { benchCommand } from "./commands/bench.ts";
import { chatCommand } from "./commands/chat.ts";
import { convertCommand } from "./commands/convert.ts";
import { detokenizeCommand } from "./commands/detokenize.ts";
import { generateCommand } from "./commands/generate.ts";
import { infoCommand } from "./commands/info.ts";
import { logitsCommand } from "./commands/logits.ts";
import { modelsCommand } from "./commands/models.ts";
import { parseCommand } from "./commands/parse.ts";
import { pullCommand } from "./commands/pull.ts";
import { renderCommand } from "./commands/render.ts";
import { serveCommand } from "./commands/serve.ts";
import { synthCommand } from "./commands/synth.ts";
import { tokenizeCommand } from "./commands/tokenize.ts";
import { verifyCommand } from "./commands/verify.ts";
import { debugOption } from "./options.ts";
import { exitCodes, reportError } from "./report.ts";

const epilogue = `
Exit codes: ${exitCodes.ok} all went well, ${exitCodes.failure} it failed, ${exitCodes.usage} wrong usage, ${exitCodes.interrupted} interrupted.`;

/** Runs one command line (without `node` and the script) and gives the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    return reportError(error);
  }
}

function createProgram(): Command {
  const program = new Command("gpt-oss")
    .description("gpt-oss, OpenAI's open-weight models, in your terminal. Without a command: a chat.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "what a command does and takes")
    .addHelpText("after", epilogue);
  const commands = [
    chatCommand(),
    generateCommand(),
    serveCommand(),
    tokenizeCommand(),
    detokenizeCommand(),
    renderCommand(),
    parseCommand(),
    logitsCommand(),
    synthCommand(),
    convertCommand(),
    pullCommand(),
    modelsCommand(),
    verifyCommand(),
    infoCommand(),
    benchCommand(),
  ];
  for (const command of commands) program.addCommand(command, { isDefault: command.name() === "chat" });
  for (const command of [program, ...commands]) {
    command.addOption(debugOption()).exitOverride();
    const name = command === program ? "gpt-oss" : `gpt-oss ${command.name()}`;
    command.showHelpAfterError(`  for what it takes: ${name} --help`);
  }
  return program;
}

function version(): string {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { version: string }).version;
}
