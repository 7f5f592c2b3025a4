// Several turns: an answer's messages go back into the conversation. Old reasoning is left out of later prompts by itself.
import { load } from "gpt-oss";

const model = await load();
const messages = [];

for (const question of ["What is 3 + 4?", "Who are you?"]) {
  messages.push({ role: "user", content: question });
  const answer = await model.respond(messages);
  messages.push(...answer.messages);
  console.log(`${question} ${answer.text}`);
}

await model.close();
