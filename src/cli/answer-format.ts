// `--schema`, `--choice`, `--regex`: what an answer has to be.

import { type Command, Option } from "commander";
import type { AnswerFormat } from "../agent/index.ts";
import { parseJson, readFileOrStdin } from "./input.ts";
import { badArgument } from "./report.ts";

export interface FormatFlags {
  readonly schema?: string;
  readonly choice?: readonly string[];
  readonly regex?: string;
}

export function addFormatOptions(command: Command): Command {
  const collect = (text: string, texts: readonly string[] = []): string[] => [...texts, text];
  const names = ["schema", "choice", "regex"];
  const one = (flags: string, description: string, name: string): Option =>
    new Option(flags, description).conflicts([...names.filter((other) => other !== name), "raw", "tokens"]);
  return command
    .addOption(one("--schema <file>", "the answer is JSON for this JSON Schema; `-` for stdin", "schema"))
    .addOption(
      one("--choice <text>", "the answer is one of these texts; give it several times", "choice").argParser(
        collect,
      ),
    )
    .addOption(
      one("--regex <pattern>", "the answer is what this regular expression matches as a whole", "regex"),
    );
}

export async function answerFormatOf({
  schema,
  choice,
  regex,
}: FormatFlags): Promise<AnswerFormat | undefined> {
  if (regex !== undefined) return { type: "regex", pattern: regex };
  if (choice !== undefined) return { type: "choice", choices: choice };
  if (schema === undefined) return undefined;
  const parsed = parseJson(await readFileOrStdin(schema), schema);
  const isSchema =
    typeof parsed === "boolean" || (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed));
  if (!isSchema) throw badArgument(`${schema} is no JSON Schema`, "a schema is a JSON object");
  const named = parsed as { readonly title?: unknown };
  const name = typeof named.title === "string" ? named.title : "answer";
  return { type: "json-schema", name, schema: parsed as { readonly [keyword: string]: unknown } };
}
