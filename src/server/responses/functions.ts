// The functions of a request, plain ones and those that a client groups under a namespace, as Codex does with the tools
// of an MCP server. The model knows each by one name; clients read the two parts again.

import type { ToolSet } from "../../agent/index.ts";
import { HttpError } from "../errors.ts";
import { type DeclaredFunction, toolSetOf } from "../prompt/index.ts";
import type { ResponsesApiParts } from "./options.ts";
import type { FunctionToolInput, NamespaceToolInput, ToolInput } from "./schema.ts";
import type { FunctionToolEcho } from "./wire.ts";

/** As clients write it. */
export interface FunctionName {
  readonly name: string;
  readonly namespace?: string | null | undefined;
}

/** As the model knows it: the same name may stand in several namespaces. */
export const qualifiedName = ({ name, namespace }: FunctionName): string =>
  namespace == null ? name : `${namespace}__${name}`;

export interface OfferedFunctions {
  readonly set: ToolSet;
  /** By the names that the model knows. */
  readonly names: ReadonlyMap<string, FunctionName>;
  readonly echo: readonly FunctionToolEcho[];
}

interface Declared extends FunctionName {
  readonly tool: DeclaredFunction;
  /** Where it stands in the request. */
  readonly param: string;
}

/** Tools of other types are left out with a line in the log, or refused, as the operator wants it. */
export function functionsOf(
  { context, options }: ResponsesApiParts,
  tools: readonly ToolInput[],
): OfferedFunctions {
  const others: string[] = [];
  const declared = tools.flatMap((tool, index): Declared[] => {
    const param = `tools[${index}]`;
    if (isFunction(tool)) return [{ tool, name: tool.name, param }];
    if (!isNamespace(tool)) {
      others.push(tool.type);
      return [];
    }
    return tool.tools.flatMap((inner, place): Declared[] => {
      if (isFunction(inner))
        return [{ tool: inner, name: inner.name, namespace: tool.name, param: `${param}.tools[${place}]` }];
      others.push(inner.type);
      return [];
    });
  });
  const types = others.map((type) => type.slice(0, 60));
  if (types.length > 0 && options.unsupportedTools === "refuse") {
    const message = `Tools of type '${types[0]}' are not supported by this server.`;
    throw new HttpError(400, { code: "unsupported_tool", param: "tools", message });
  }
  if (types.length > 0) context.log({ level: "warning", event: "tools-ignored", types });
  const keys = declared.map(qualifiedName);
  return {
    set: toolSetOf(
      declared.map(({ tool }) => tool),
      (index) => `${declared[index].param}.name`,
      { keyOf: (index) => keys[index] },
    ),
    names: new Map(declared.map(({ name, namespace }, index) => [keys[index], { name, namespace }])),
    echo: declared.flatMap(({ tool, namespace }) => (namespace === undefined ? [echoOf(tool)] : [])),
  };
}

const isFunction = (tool: ToolInput): tool is FunctionToolInput => tool.type === "function";
const isNamespace = (tool: ToolInput): tool is NamespaceToolInput => tool.type === "namespace";

const echoOf = ({ name, description, parameters, strict }: DeclaredFunction): FunctionToolEcho => ({
  type: "function",
  name,
  description: description ?? null,
  parameters: parameters ?? null,
  strict: strict ?? null,
});
