// What the model said, by the ids that the AI SDK carries along: a message given back as the object that it was is
// written into the next prompt in the very tokens that were sampled, and thoughts that an application dropped on the
// way are found again by the call that they led to. Bounded; whatever is forgotten is rebuilt from the prompt's own text.

import type { AssistantText } from "../agent/index.ts";

export interface Said {
  readonly message: AssistantText;
  /** Of a call: the thoughts of the same turn before it. */
  readonly thoughts: readonly AssistantText[];
}

export interface Memory {
  remember(id: string, said: Said): void;
  recall(id: string): Said | undefined;
}

/** About 16 MB of text: some hundred long answers with their thoughts. */
const maxCharacters = 8_000_000;

export function createMemory(limit: number = maxCharacters): Memory {
  const entries = new Map<string, Said>();
  let characters = 0;
  const forget = (id: string): void => {
    const old = entries.get(id);
    if (!old) return;
    entries.delete(id);
    characters -= sizeOf(old);
  };
  return {
    remember(id, said) {
      forget(id);
      entries.set(id, said);
      characters += sizeOf(said);
      // A map keeps the order of insertion: the first is the one that was used longest ago.
      for (const oldest of entries.keys()) {
        if (characters <= limit) break;
        forget(oldest);
      }
    },
    recall(id) {
      const said = entries.get(id);
      if (!said) return undefined;
      entries.delete(id);
      entries.set(id, said);
      return said;
    },
  };
}

/** Thoughts are counted again where several calls share them, which errs on the safe side. */
const sizeOf = ({ message, thoughts }: Said): number =>
  thoughts.reduce((sum, thought) => sum + thought.content.length, message.content.length);
