// A conversation in the terminal: its history, the commands that begin with a slash, and what Ctrl-C leaves behind.

import { writeFile } from "node:fs/promises";
import { type Answer, type Effort, efforts } from "../agent/index.ts";
import { conversationToJson, type Message } from "../harmony/index.ts";
import type { GptOss, RespondOptions } from "../library/index.ts";
import { readLines } from "./lines.ts";
import { answerPrinter } from "./print-answer.ts";
import { describeError } from "./report.ts";
import { interruptible, printNote } from "./terminal.ts";

export interface ChatSettings extends RespondOptions {
  readonly showReasoning: boolean;
}

/** Answers one question. Aborting stops the answer and rejects with the signal's reason. */
export async function askOnce(
  model: GptOss,
  question: string,
  options: { readonly settings: ChatSettings; readonly signal: AbortSignal },
): Promise<void> {
  await ask(openSession(model, options.settings), question, options.signal);
  options.signal.throwIfAborted();
}

/** Answers line after line until the input ends or `/exit`. */
export async function converse(model: GptOss, settings: ChatSettings): Promise<void> {
  const session = openSession(model, settings);
  if (process.stdin.isTTY) printNote("/help lists commands, Ctrl-D ends.");
  for await (const line of readLines("> ")) {
    if (line.trim() === "") continue;
    if (!line.startsWith("/")) await interruptible((signal) => askKindly(session, line, signal));
    else if ((await obey(session, line)) === "exit") return;
  }
}

interface Session {
  readonly model: GptOss;
  readonly settings: ChatSettings;
  effort: Effort;
  history: Message[];
  /** Files that this session wrote, and may write again. */
  readonly saved: Set<string>;
}

function openSession(model: GptOss, settings: ChatSettings): Session {
  return { model, settings, effort: settings.effort ?? "medium", history: [], saved: new Set() };
}

/** At a terminal, one failed answer does not end the conversation. */
async function askKindly(session: Session, question: string, signal: AbortSignal): Promise<void> {
  try {
    await ask(session, question, signal);
  } catch (error) {
    if (!process.stdin.isTTY) throw error;
    process.stderr.write(describeError(error));
  }
}

async function ask(session: Session, question: string, signal: AbortSignal): Promise<void> {
  const { model, settings, effort, history } = session;
  const messages: Message[] = [...history, { role: "user", content: question }];
  const stream = model.stream(messages, { ...settings, effort, signal });
  const printer = answerPrinter(settings);
  for await (const event of stream) printer.add(event);
  printer.end();
  const answer = await stream.answer();
  if (answer.finishReason === "length") printNote("(cut off: no more tokens)");
  if (answer.finishReason === "aborted") printNote("(stopped)");
  session.history = [...history, ...turnOf(question, answer)];
}

/** A question that got no answer is forgotten, or the model would see two questions in a row. */
function turnOf(question: string, answer: Answer): Message[] {
  if (answer.text === "") return [];
  return [{ role: "user", content: question }, ...answer.messages];
}

const commandsHelp = `/effort [none|low|medium|high]  show or set how much to think before answering
/reset                          forget the conversation
/save FILE                      write the conversation as JSON, for \`generate --conversation\` and \`render\`
/help                           this list
/exit                           end (so does Ctrl-D)`;

async function obey(session: Session, line: string): Promise<"exit" | undefined> {
  const [command, ...words] = line.trim().split(/\s+/);
  const argument = words.join(" ");
  switch (command) {
    case "/effort":
      setEffort(session, argument);
      return;
    case "/reset":
      session.history = [];
      printNote("the conversation is forgotten");
      return;
    case "/save":
      await save(session, argument);
      return;
    case "/help":
      printNote(commandsHelp);
      return;
    case "/exit":
      return "exit";
    default:
      printNote(`there is no ${command}; /help lists what there is`);
      return;
  }
}

function setEffort(session: Session, argument: string): void {
  const effort = efforts.find((level) => level === argument);
  if (effort) session.effort = effort;
  else if (argument !== "") printNote(`there is no effort ${argument}; efforts are ${efforts.join(", ")}`);
  printNote(`effort: ${session.effort}`);
}

/** Never writes over a file that is not ours. */
async function save({ model, settings, effort, history, saved }: Session, path: string): Promise<void> {
  if (path === "") return printNote("/save needs the name of a file");
  if (history.length === 0) return printNote("there is nothing to save yet");
  const { messages } = model.prompt(history, { ...settings, effort });
  const json = JSON.stringify(conversationToJson(messages), undefined, 2);
  try {
    await writeFile(path, `${json}\n`, { flag: saved.has(path) ? "w" : "wx" });
    saved.add(path);
    printNote(`saved to ${path}`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    printNote(code === "EEXIST" ? `${path} is there already; choose another name` : `not saved: ${message}`);
  }
}
