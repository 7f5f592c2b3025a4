export { type ContentOptions, type ContentPart, contentText, type MediaPolicy } from "./content.ts";
export {
  type ConversationOptions,
  callArguments,
  type Said,
  type SaidCall,
  type SaidResult,
  type Spoken,
  toConversation,
} from "./conversation.ts";
export { wireLogprob } from "./logprobs.ts";
export {
  type AskedChoice,
  type AskedEffort,
  askedEfforts,
  calledName,
  type DeclaredFunction,
  effortOf,
  formatNamePattern,
  formatOf,
  toolChoiceOf,
  toolSetOf,
} from "./settings.ts";
