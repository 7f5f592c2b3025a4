// The model in this process as a language model of the AI SDK: tools, reasoning, structured output, no HTTP. Needs `npm install ai`.
import { generateObject, stepCountIs, streamText, tool } from "ai";
import { load } from "gpt-oss";
import { gptOss } from "gpt-oss/ai-sdk";
import * as z from "zod";

const model = await load();

const get_weather = tool({
  description: "Gets the current weather in the provided location.",
  inputSchema: z.object({ location: z.string().describe("The city and state, e.g. San Francisco, CA") }),
  execute: async ({ location }) => {
    console.log(`(asked for ${location})`);
    return { sky: "sunny", temperature: 21 };
  },
});

const result = streamText({
  model: gptOss(model),
  system: "Answer briefly.",
  prompt: "What is the weather in Paris?",
  tools: { get_weather },
  stopWhen: stepCountIs(5),
});
for await (const part of result.fullStream) {
  if (part.type === "reasoning-delta") process.stderr.write(part.text);
  if (part.type === "text-delta") process.stdout.write(part.text);
}
console.log(`\n${(await result.steps).length} steps`);

const { object } = await generateObject({
  model: gptOss(model, { reasoningEffort: "low" }),
  schema: z.object({ city: z.enum(["Paris", "London", "Rome"]) }),
  prompt: "What is the capital of France?",
});
console.log(object);

await model.close();
