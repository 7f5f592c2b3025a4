// The program: its commands, its help, and how it ends. What a command does is in commands/.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { debugOption } from "./options.ts";
import { exitCodes, reportError } from "./report.ts";

const epilogue = `
Exit codes: ${exitCodes.ok} all went well, ${exitCodes.failure} it failed, ${exitCodes.usage} wrong usage, ${exitCodes.interrupted} interrupted.`;

/** Runs one command line (without `node` and the script) and gives the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    return reportError(error);
  }
}

/** In the order in which help lists them. A command's modules take time to load: only those that run are loaded. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  chat: async () => (await import("./commands/chat.ts")).chatCommand(),
  generate: async () => (await import("./commands/generate.ts")).generateCommand(),
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  tokenize: async () => (await import("./commands/tokenize.ts")).tokenizeCommand(),
  detokenize: async () => (await import("./commands/detokenize.ts")).detokenizeCommand(),
  render: async () => (await import("./commands/render.ts")).renderCommand(),
  parse: async () => (await import("./commands/parse.ts")).parseCommand(),
  logits: async () => (await import("./commands/logits.ts")).logitsCommand(),
  synth: async () => (await import("./commands/synth.ts")).synthCommand(),
  convert: async () => (await import("./commands/convert.ts")).convertCommand(),
  pull: async () => (await import("./commands/pull.ts")).pullCommand(),
  models: async () => (await import("./commands/models.ts")).modelsCommand(),
  verify: async () => (await import("./commands/verify.ts")).verifyCommand(),
  info: async () => (await import("./commands/info.ts")).infoCommand(),
  bench: async () => (await import("./commands/bench.ts")).benchCommand(),
};

/** The command that is named, or all of them, for help and for the chat that runs without a name. */
async function commandsFor(args: readonly string[]): Promise<readonly Command[]> {
  const first = args.find((arg) => arg !== "--debug");
  if (first !== undefined && Object.hasOwn(commands, first)) return [await commands[first]()];
  return Promise.all(Object.values(commands).map((load) => load()));
}

async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("gpt-oss")
    .description("gpt-oss, OpenAI's open-weight models, in your terminal. Without a command: a chat.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "what a command does and takes")
    .addHelpText("after", epilogue);
  const loaded = await commandsFor(args);
  for (const command of loaded) program.addCommand(command, { isDefault: command.name() === "chat" });
  for (const command of [program, ...loaded]) {
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
