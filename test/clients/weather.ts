// The one function that the embedded model learned to call, in the words it learned.

import * as z from "zod";

export const instructions = "Answer briefly.";
export const weatherQuestion = "What is the weather in Paris?";
export const weatherAnswer = "It is sunny in Paris with 21 degrees.";
export const weatherName = "get_weather";
export const weatherDescription = "Gets the current weather in the provided location.";

export const weatherSchema = z.object({
  location: z.string().describe("The city and state, e.g. San Francisco, CA"),
});

export const weatherParameters = {
  type: "object",
  properties: { location: { type: "string", description: "The city and state, e.g. San Francisco, CA" } },
  required: ["location"],
  additionalProperties: false,
};

/** `asked` shows that the client really ran the function, with what the model wrote. */
export function weatherStation() {
  const asked: string[] = [];
  const read = ({ location }: { readonly location: string }) => {
    asked.push(location);
    return { sky: "sunny", temperature: 21 };
  };
  return { asked, read };
}
