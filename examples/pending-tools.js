// Functions that run elsewhere: without an implementation the call comes back, and the conversation goes on with its result.
import { load, tool, toolResult } from "gpt-oss";
import * as z from "zod";

const tools = {
  get_weather: tool({
    description: "Gets the current weather in the provided location.",
    parameters: z.object({ location: z.string().describe("The city and state, e.g. San Francisco, CA") }),
  }),
};
const options = { instructions: "Answer briefly.", tools };

const model = await load();
const messages = [{ role: "user", content: "What is the weather in London?" }];

const first = await model.respond(messages, options);
messages.push(...first.messages);
for (const call of first.pendingCalls) {
  console.log(call.name, call.arguments);
  messages.push(toolResult(call, JSON.stringify({ sky: "rain", temperature: 9 })));
}
const second = await model.respond(messages, options);
console.log(second.text);

await model.close();
