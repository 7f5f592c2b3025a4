// The tokenizer and harmony of an installed model, against what OpenAI's own code gives; of another vocabulary, that what
// goes in comes out again.

import { parseTokens, renderConversation, renderForCompletion } from "../../harmony/index.ts";
import { o200kHarmony, type Tokenizer } from "../../tokenizer/index.ts";
import type { Check } from "./check.ts";
import { shortList } from "./check.ts";
import { embeddedDialogue, harmonyVector, passage, tokenizerVectors } from "./vectors.ts";

export function tokenizerCheck(tokenizer: Tokenizer, vocabularySize: number): Check {
  const isPublished = hasPublishedVocabulary(tokenizer);
  const faults: string[] = [];
  for (const [text, ids] of tokenizerVectors) {
    const tokens = tokenizer.encode(text);
    if (isPublished && tokens.join() !== ids.join())
      faults.push(`${JSON.stringify(text)} → ${tokens.join(" ")}`);
    if (tokenizer.decode(tokens) !== text) faults.push(`${JSON.stringify(text)} does not come back`);
  }
  if (tokenizer.decode(tokenizer.encode(passage)) !== passage)
    faults.push("a page of English does not come back");
  const outside = Object.entries(tokenizer.special).filter(([, id]) => id >= vocabularySize);
  if (outside.length > 0)
    faults.push(`ids beyond the model's vocabulary: ${shortList(outside.map(([name]) => name))}`);
  const against = isPublished
    ? `${tokenizerVectors.length} texts have tiktoken's ids and come back`
    : `${tokenizerVectors.length} texts come back; the vocabulary is not the published one, so no ids are known`;
  return check("tokenizer", faults, { against, figures: { vocabularySize: tokenizer.vocabularySize } });
}

export function harmonyCheck(tokenizer: Tokenizer): Check {
  const isPublished = hasPublishedVocabulary(tokenizer);
  const faults: string[] = [];
  const { conversation, tokens } = harmonyVector;
  const rendered = renderForCompletion(conversation, tokenizer);
  if (isPublished && rendered.join() !== tokens.join())
    faults.push(`a conversation is rendered as other tokens than openai-harmony's: ${rendered.join(" ")}`);
  for (const dialogue of [conversation, embeddedDialogue]) {
    const whole = renderConversation(dialogue, tokenizer, { analysis: "keep" });
    const { messages, notes } = parseTokens(whole, tokenizer);
    const again = renderConversation(
      messages.map(({ message }) => message),
      tokenizer,
      { analysis: "keep" },
    );
    if (again.join() !== whole.join() || notes.length > 0) faults.push("a conversation does not come back");
  }
  const against = isPublished
    ? `${tokens.length} tokens are openai-harmony's; 2 conversations come back`
    : "2 conversations come back; the vocabulary is not the published one, so no ids are known";
  return check("harmony", faults, { against, figures: { tokens: rendered.length } });
}

/** The same words in the same places as in OpenAI's vocabulary, as far as these texts and the special ids show. */
function hasPublishedVocabulary({ vocabularySize, special }: Tokenizer): boolean {
  const published = o200kHarmony();
  return vocabularySize === published.vocabularySize && special.return === published.special.return;
}

function check(
  name: Check["name"],
  faults: readonly string[],
  { against, figures }: { readonly against: string; readonly figures: Check["figures"] },
): Check {
  const isGood = faults.length === 0;
  return {
    name,
    status: isGood ? "passed" : "failed",
    detail: isGood ? against : shortList(faults),
    figures: { ...figures, faults },
  };
}
