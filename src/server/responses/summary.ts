// The events of a summary, which is a copy of the thoughts: for clients that show summaries only. Live or replayed, they
// are the same.

import type { EventBody, SummaryText } from "./wire.ts";

export interface SummaryPlace {
  readonly item_id: string;
  readonly output_index: number;
  readonly summary_index: number;
}

export const summaryOf = (text: string): SummaryText => ({ type: "summary_text", text });

export const summaryAdded = (place: SummaryPlace): EventBody[] => [
  { type: "response.reasoning_summary_part.added", ...place, part: summaryOf("") },
];

export const summaryDelta = (place: SummaryPlace, delta: string): EventBody[] => [
  { type: "response.reasoning_summary_text.delta", ...place, delta },
];

export const summaryDone = (place: SummaryPlace, text: string): EventBody[] => [
  { type: "response.reasoning_summary_text.done", ...place, text },
  { type: "response.reasoning_summary_part.done", ...place, part: summaryOf(text) },
];
