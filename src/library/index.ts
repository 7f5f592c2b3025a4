export {
  type AnswerStream,
  createGptOss,
  type GptOss,
  type GptOssParts,
  type RespondDefaults,
  type RespondOptions,
} from "./gpt-oss.ts";
export type { Input } from "./input.ts";
export { type Measurement, type MeasureOptions, measure } from "./measure.ts";
export { type LogitsOptions, logitsOf } from "./score.ts";
