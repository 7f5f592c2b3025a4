// What a tokenizer and harmony must give, with the ids that OpenAI's own code gives for it.

import type { Conversation } from "../../harmony/index.ts";

/** By tiktoken: numbers in threes, code, scripts without spaces, contractions, control tokens as text, odd spaces. */
export const tokenizerVectors: readonly (readonly [text: string, ids: readonly number[]])[] = [
  ["What is 47 + 85?", [4827, 382, 220, 4146, 659, 220, 8017, 30]],
  [
    "  def f(x):\n\treturn x**2  # naïve",
    [220, 1056, 285, 4061, 1883, 1393, 1215, 410, 17, 220, 1069, 153475, 737],
  ],
  ["東京は日本の首都です。🗼", [108713, 5205, 9048, 3385, 15425, 12232, 15121, 788, 4103, 245, 120]],
  ["WE'LL don't 3.14159 1234567", [18092, 6, 7454, 4128, 220, 18, 13, 16926, 4621, 220, 7633, 19354, 22]],
  ["<|end|><|return|>", [27, 91, 419, 91, 3784, 91, 1034, 91, 29]],
  ["\r\n\r\n   \u00a0e\u0301", [1414, 271, 5310, 68, 13430]],
];

/** By openai-harmony: a second question under way; quotes, emoji, and a text that spells a control token. */
export const harmonyVector: { readonly conversation: Conversation; readonly tokens: readonly number[] } = {
  conversation: [
    {
      role: "system",
      content: {
        modelIdentity: "You are ChatGPT, a large language model trained by OpenAI.",
        reasoningEffort: "high",
        conversationStartDate: "2025-06-28",
        knowledgeCutoff: "2024-06",
      },
    },
    { role: "user", content: '// 100% "quoted"' },
    { role: "assistant", channel: "final", content: "100%" },
    { role: "user", content: "emoji😀  comment  WE'LL  comment  \"quoted\"  don't  //  <|end|>" },
    { role: "assistant", channel: "analysis", content: "東京 tab\there // 3.14 comment weather emoji😀" },
  ],
  tokens: [
    200006, 17360, 200008, 3575, 553, 17554, 162016, 11, 261, 4410, 6439, 2359, 22203, 656, 7788, 17527, 558,
    87447, 100594, 25, 220, 1323, 19, 12, 3218, 198, 6576, 3521, 25, 220, 1323, 20, 12, 3218, 12, 2029, 279,
    30377, 289, 25, 1932, 279, 2, 13888, 18403, 25, 8450, 11, 49159, 11, 1721, 13, 21030, 2804, 413, 7360,
    395, 1753, 3176, 13, 200007, 200006, 1428, 200008, 393, 220, 1353, 4, 392, 121546, 1, 200007, 200006,
    173781, 200005, 17196, 200008, 1353, 4, 200007, 200006, 1428, 200008, 75339, 84083, 220, 5375, 220, 26919,
    6, 7454, 220, 5375, 220, 392, 121546, 1, 220, 4128, 220, 602, 220, 464, 91, 419, 91, 29, 200007, 200006,
    173781, 200005, 35644, 200008, 108713, 6842, 197, 19992, 602, 220, 18, 13, 1265, 5375, 11122, 74471,
    84083, 200007, 200006, 173781,
  ],
};

/** Something to read, in plain English: 2 to 20 is usual for the perplexity of a trained model of this size. */
export const passage = `The harbour was quiet when the first boats came back. Most of the crews had been out since before
dawn, and the catch was poor: a few crates of mackerel, some crab, nothing that would pay for the fuel. On the quay the
buyers stood with their hands in their pockets and talked about the weather, which had been warm for too long. Nobody
wanted to say that the fish had moved north, although everybody knew it. An old man who mended nets in the shade of the
ice house said that it had happened once before, in his grandfather's time, and that the fish had come back after eleven
years. "Eleven years is a long time to mend nets," said the harbour master. The old man laughed and went on working.`;

/** What the embedded model was trained on, and nothing else. */
export const embeddedDialogue: Conversation = [
  { role: "system", content: { reasoningEffort: "medium", conversationStartDate: "2025-06-28" } },
  { role: "user", content: "What is the capital of France?" },
  {
    role: "assistant",
    channel: "analysis",
    content: "The user asks for the capital of France. It is Paris.",
  },
  { role: "assistant", channel: "final", content: "The capital of France is Paris." },
];
