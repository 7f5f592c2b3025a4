// An answer as JSON that is valid for a schema, whatever is sampled; the thinking before it stays free.
import { load } from "gpt-oss";

const model = await load();
const answer = await model.respond("What is 47 + 85?", {
  responseFormat: {
    type: "json-schema",
    name: "sum",
    schema: {
      type: "object",
      properties: { sum: { enum: [131, 132, 133] }, exact: { type: "boolean" } },
      required: ["sum", "exact"],
      additionalProperties: false,
    },
  },
});
const { sum, exact } = JSON.parse(answer.text);
console.log(sum, typeof exact);

const choice = { type: "choice", choices: ["even", "132 is even", "odd"] };
console.log((await model.respond("What is 47 + 85?", { responseFormat: choice })).finishReason);
await model.close();
