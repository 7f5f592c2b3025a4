export {
  embeddedAnnouncement,
  embeddedContextTokens,
  embeddedDefaults,
  embeddedModelPath,
  isEmbedded,
} from "./embedded.ts";
export { tokenizerOf } from "./tokenizer.ts";
