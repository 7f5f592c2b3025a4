// One question, one answer.
import { load } from "gpt-oss";

const model = await load(); // the embedded model; for a real one: load({ model: "path/to/gpt-oss-20b" })
const answer = await model.respond("What is 47 + 85?", { effort: "medium" });

console.log(answer.text);
console.log("because:", answer.reasoning);
console.log(answer.finishReason, answer.usage);

await model.close();
