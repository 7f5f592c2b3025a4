// The wire format of Chat Completions, frame by frame, as clients have read it: fails where a recording changes, and
// `vitest -u` records anew. Those of the Responses API are with its own tests.

import { expect, test } from "vitest";
import {
  calling,
  final,
  post,
  preamble,
  scriptedServer,
  thinking,
} from "../../src/server/testing/scripted-server.ts";
import { weatherDescription, weatherName, weatherParameters, weatherQuestion } from "./weather.ts";

const now = () => 1_750_000_000_000;

const tools = [
  {
    type: "function",
    function: { name: weatherName, description: weatherDescription, parameters: weatherParameters },
  },
];
const usage = { stream_options: { include_usage: true } };

const cases: Readonly<Record<string, { readonly script: string; readonly body: object }>> = {
  "chat-answer": { script: thinking("2+2 is 4.") + final("It is 4."), body: usage },
  "chat-function-call": {
    script:
      thinking("Need weather.") + preamble("I will look.") + calling("get_weather", '{"location":"Paris"}'),
    body: { tools, ...usage },
  },
  "chat-cut-off": { script: thinking("Let me think about this for a long while."), body: { max_tokens: 6 } },
  "chat-logprobs": { script: final("Hi"), body: { logprobs: true, top_logprobs: 1 } },
};

test.each(Object.entries(cases))("%s", async (name, { script, body }) => {
  const server = scriptedServer([script], { now });
  const messages = [{ role: "user", content: weatherQuestion }];
  const response = await server.fetch(
    post("/v1/chat/completions", { model: "test", messages, stream: true, ...body }),
  );
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  await expect(withPlainIds(await response.text())).toMatchFileSnapshot(`../golden/server/${name}.sse`);
});

/** Ids by their order of appearance. */
function withPlainIds(text: string): string {
  const names = new Map<string, string>();
  return text.replace(/\b(chatcmpl|call)[_-][0-9a-f]{32}/g, (id, prefix: string) => {
    const plain = names.get(id) ?? `${prefix}_${names.size + 1}`;
    names.set(id, plain);
    return plain;
  });
}
