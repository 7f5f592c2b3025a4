// Files beside the weights that are not read here and that Python's tools need, Transformers' chat template above all.
// They are pulled, and carried along when a model is converted.

export interface Companion {
  readonly name: string;
  readonly text: string;
}

const templateName = "chat_template.jinja";

export const companionNames = ["tokenizer_config.json", "special_tokens_map.json", templateName] as const;

/** Of a GGUF file, which has only the template, in its metadata. */
export const templateCompanion = (template: string): Companion => ({ name: templateName, text: template });

/** How Transformers and llama.cpp render conversations. Older repositories have it inside `tokenizer_config.json`. */
export function chatTemplateOf(companions: readonly Companion[]): string | undefined {
  const textOf = (wanted: string): string | undefined => companions.find(({ name }) => name === wanted)?.text;
  return textOf(templateName) ?? templateIn(textOf("tokenizer_config.json") ?? "{}");
}

function templateIn(config: string): string | undefined {
  try {
    const { chat_template: template } = JSON.parse(config) as { chat_template?: unknown };
    return typeof template === "string" ? template : undefined;
  } catch {
    return undefined; // it is carried as it is, and whoever reads it will complain
  }
}
