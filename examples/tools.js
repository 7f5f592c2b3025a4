// A function that the model calls: its arguments are checked against the zod schema before it runs.
import { load, tool } from "gpt-oss";
import * as z from "zod";

const get_weather = tool({
  description: "Gets the current weather in the provided location.",
  parameters: z.object({ location: z.string().describe("The city and state, e.g. San Francisco, CA") }),
  execute: ({ location }) => {
    console.log(`(asked for ${location})`);
    return { sky: "sunny", temperature: 21 };
  },
});

const model = await load();
const answer = await model.respond("What is the weather in Paris?", {
  instructions: "Answer briefly.",
  tools: { get_weather },
});
console.log(answer.text);

await model.close();
