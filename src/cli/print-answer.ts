// An answer as it comes: its text on stdout; its reasoning only when asked for, and dimmed.

import type { AgentEvent } from "../agent/index.ts";
import { dim, print, visible } from "./terminal.ts";

export interface PrintOptions {
  readonly showReasoning: boolean;
}

export interface AnswerPrinter {
  add(event: AgentEvent): void;
  /** Ends the last line. */
  end(): void;
}

/** Messages are separated by blank lines. */
export function answerPrinter({ showReasoning }: PrintOptions): AnswerPrinter {
  let hasPrinted = false;
  let endsLine = true;
  const write = (text: string, isAside: boolean): void => {
    if (text === "") return;
    print(isAside ? dim(visible(text)) : visible(text));
    hasPrinted = true;
    endsLine = text.endsWith("\n");
  };
  const separate = (): void => {
    if (hasPrinted) print(endsLine ? "\n" : "\n\n");
  };
  const add = (event: AgentEvent): void => {
    switch (event.type) {
      case "text-start":
      case "preamble-start":
        separate();
        break;
      case "text-delta":
      case "preamble-delta":
        write(event.text, false);
        break;
      case "reasoning-start":
        if (showReasoning) separate();
        break;
      case "reasoning-delta":
        if (showReasoning) write(event.text, true);
        break;
      case "tool-call-start":
        if (!showReasoning) break;
        separate();
        write(`→ ${event.name} `, true);
        break;
      case "tool-call-delta":
        if (showReasoning) write(event.text, true);
        break;
      case "tool-result":
        if (!showReasoning) break;
        separate();
        write(`← ${event.output}`, true);
        break;
      case "turn-start":
      case "turn-end":
      case "reasoning-end":
      case "preamble-end":
      case "text-end":
      case "tool-call-end":
      case "note":
      case "run-end":
        break;
      default:
        event satisfies never;
    }
  };
  return {
    add,
    end() {
      if (hasPrinted && !endsLine) print("\n");
    },
  };
}
