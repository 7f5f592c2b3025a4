// The `# Tools` section: namespaces of functions as TypeScript, and the two namespaces that gpt-oss was
// trained with.

import type { ToolNamespace, ToolNamespaces } from "./conversation.ts";
import { schemaToTypeScript } from "./schema-text.ts";

export function toolsText(namespaces: ToolNamespaces): string {
  const names = Object.keys(namespaces).sort();
  return ["# Tools", ...names.map((key) => namespaceText(key, namespaces[key]))].join("\n\n");
}

function namespaceText(key: string, { name = key, description, tools }: ToolNamespace): string {
  const hasTools = tools.length > 0;
  const parts = [`## ${name}\n`];
  for (const line of lines(description ?? "")) parts.push(hasTools ? `// ${line}` : line);
  if (hasTools) {
    parts.push(`namespace ${name} {\n`);
    for (const tool of tools) {
      for (const line of lines(tool.description ?? "")) parts.push(`// ${line}`);
      const argument = tool.parameters == null ? "" : `_: ${schemaToTypeScript(tool.parameters)}`;
      parts.push(`type ${tool.name} = (${argument}) => any;\n`);
    }
    parts.push(`} // namespace ${name}`);
  }
  return parts.join("\n");
}

/**
 * Lines as the official library counts them: a final line break begins no line, carriage returns before one
 * vanish.
 */
export function lines(text: string): string[] {
  const all = text
    .split("\n")
    .map((line, index, list) => (index < list.length - 1 ? line.replace(/\r$/, "") : line));
  if (all.at(-1) === "") all.pop();
  return all;
}

/**
 * The browser tool as gpt-oss was trained with it: `search`, `open` and `find`, called on the analysis
 * channel.
 *
 * @param sources what stands after `sources=`; the reference server puts its search backend's name there.
 * @example
 * const content = { tools: { browser: browserNamespace() } };
 */
export function browserNamespace(sources = "web (default: web)"): ToolNamespace {
  return {
    name: "browser",
    description: `${browserDescription}\nsources=${sources}`,
    tools: [
      {
        name: "search",
        description: "Searches for information related to `query` and displays `topn` results.",
        parameters: {
          type: "object",
          properties: {
            query: { type: "string" },
            topn: { type: "number", default: 10 },
            source: { type: "string" },
          },
          required: ["query"],
        },
      },
      {
        name: "open",
        description: openDescription,
        parameters: {
          type: "object",
          properties: {
            id: { type: ["number", "string"], default: -1 },
            cursor: { type: "number", default: -1 },
            loc: { type: "number", default: -1 },
            num_lines: { type: "number", default: -1 },
            view_source: { type: "boolean", default: false },
            source: { type: "string" },
          },
        },
      },
      {
        name: "find",
        description: "Finds exact matches of `pattern` in the current page, or the page given by `cursor`.",
        parameters: {
          type: "object",
          properties: { pattern: { type: "string" }, cursor: { type: "number", default: -1 } },
          required: ["pattern"],
        },
      },
    ],
  };
}

/**
 * The python tool as gpt-oss was trained with it: the call's text is the code, not JSON. `stateful` is a
 * session that keeps variables between calls, as trained; `stateless` tells the model to print and to send
 * everything each time.
 *
 * @example
 * const content = { tools: { python: pythonNamespace() } };
 */
export function pythonNamespace(execution: "stateful" | "stateless" = "stateful"): ToolNamespace {
  const description = execution === "stateful" ? statefulPython : statelessPython;
  return { name: "python", description, tools: [] };
}

// openai/harmony src/chat.rs, ToolNamespaceConfig::browser and ::python.
const browserDescription = [
  "Tool for browsing.",
  "The `cursor` appears in brackets before each browsing display: `[{cursor}]`.",
  "Cite information from the tool using the following format:",
  "`【{cursor}†L{line_start}(-L{line_end})?】`, for example: `【6†L9-L11】` or `【8†L3】`.",
  "Do not quote more than 10 words directly from the tool output.",
].join("\n");

const openDescription = [
  "Opens the link `id` from the page indicated by `cursor` starting at line number `loc`, showing `num_lines` lines.",
  "Valid link ids are displayed with the formatting: `【{id}†.*】`.",
  "If `cursor` is not provided, the most recent page is implied.",
  "If `id` is a string, it is treated as a fully qualified URL associated with `source`.",
  "If `loc` is not provided, the viewport will be positioned at the beginning of the document or centered on the most relevant passage, if available.",
  "Use this function without `id` to scroll to a new location of an opened page.",
].join("\n");

const pythonPurpose =
  "in your chain of thought. The code will not be shown to the user. This tool should be used for internal reasoning, but not for code that is intended to be visible to the user (e.g. when creating plots, tables, or files).";

const statefulPython = `Use this tool to execute Python code ${pythonPurpose}

When you send a message containing Python code to python, it will be executed in a stateful Jupyter notebook environment. python will respond with the output of the execution or time out after 120.0 seconds. The drive at '/mnt/data' can be used to save and persist user files. Internet access for this session is UNKNOWN. Depends on the cluster.`;

// openai/gpt-oss gpt_oss/tools/python_docker/docker_tool.py.
const statelessPython = `Use this tool to execute STATELESS Python code ${pythonPurpose}
When you send a message containing python code to python, it will be executed in a stateless docker container, and the stdout of that process will be returned to you. You have to use print statements to access the output.

IMPORTANT: Your python environment is not shared between calls. You will have to pass your entire code each time.`;
