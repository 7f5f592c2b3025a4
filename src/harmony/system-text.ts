// The bodies of system and developer messages as the model was trained to read them. Every word here is part
// of the format (openai/harmony src/encoding.rs, docs/format.md): a reworded line is a different prompt.

import type { DeveloperContent, ResponseFormat, SystemContent } from "./conversation.ts";
import { jsonText } from "./json-text.ts";
import { lines, toolsText } from "./tools-text.ts";

/** Absent fields replaced by OpenAI's defaults. */
export function withDefaults(content: SystemContent): Required<SystemContent> {
  const {
    modelIdentity = "You are ChatGPT, a large language model trained by OpenAI.",
    reasoningEffort = "medium",
    conversationStartDate = null,
    knowledgeCutoff = "2024-06",
    channelConfig = { validChannels: ["analysis", "commentary", "final"], channelRequired: true },
    tools = null,
  } = content;
  return { modelIdentity, reasoningEffort, conversationStartDate, knowledgeCutoff, channelConfig, tools };
}

/** `functionTools`: whether any developer message of the conversation offers functions. */
export function systemText(content: SystemContent, functionTools: boolean): string {
  const { modelIdentity, reasoningEffort, conversationStartDate, knowledgeCutoff, channelConfig, tools } =
    withDefaults(content);
  const top: string[] = [];
  if (modelIdentity !== null) top.push(modelIdentity);
  if (knowledgeCutoff !== null) top.push(`Knowledge cutoff: ${knowledgeCutoff}`);
  if (conversationStartDate !== null) top.push(`Current date: ${conversationStartDate}`);

  const sections: string[] = [];
  if (top.length > 0) sections.push(top.join("\n"));
  if (reasoningEffort !== null) sections.push(`Reasoning: ${reasoningEffort}`);
  if (tools !== null && Object.keys(tools).length > 0) sections.push(toolsText(tools));
  if (channelConfig !== null && channelConfig.validChannels.length > 0) {
    let line = `# Valid channels: ${channelConfig.validChannels.join(", ")}.`;
    if (channelConfig.channelRequired) line += " Channel must be included for every message.";
    if (functionTools) line += "\nCalls to these tools must go to the commentary channel: 'functions'.";
    sections.push(line);
  }
  return sections.join("\n\n");
}

export function developerText(content: DeveloperContent): string {
  const { instructions, tools, responseFormats } = content;
  const sections: string[] = [];
  if (instructions != null) sections.push("# Instructions", instructions);
  if (tools != null && Object.keys(tools).length > 0) sections.push(toolsText(tools));
  if (responseFormats != null && responseFormats.length > 0)
    sections.push("# Response Formats", ...responseFormats.map(responseFormatText));
  return sections.join("\n\n");
}

// Not rendered by the official library; docs/format.md, "Structured output".
function responseFormatText({ name, description, schema }: ResponseFormat): string {
  const comment = lines(description ?? "").map((line) => `// ${line}\n`);
  return `## ${name}\n\n${comment.join("")}${jsonText(schema)}`;
}
