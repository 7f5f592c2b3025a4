// Streaming clients over real sockets, and what they must be told: used by load.mjs and by the tests of faults.

import { Agent, request } from "node:http";

/** Keeps connections, one for each client. */
export const createAgent = () => new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

/**
 * POSTs and calls `onEvent(data, raw)` for every event of the stream. Resolves with what ended it: `done` after
 * [DONE], `left` where onEvent returned false, or an object with the status and body of an error.
 */
export function stream({ url, agent, path, body, onEvent }) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify({ ...body, stream: true });
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const sent = request(new URL(path, url), { method: "POST", agent, headers }, (response) => {
      response.setEncoding("utf8");
      let waiting = "";
      let ended = false;
      response.on("data", (chunk) => {
        waiting += chunk;
        if (response.statusCode !== 200 || ended) return;
        let from = 0;
        for (let to = waiting.indexOf("\n\n"); to >= 0; to = waiting.indexOf("\n\n", from)) {
          const start = waiting.indexOf("data: ", from);
          const data = waiting.slice(start + 6, to);
          from = to + 2;
          if (start < 0 || start > to) continue;
          if (data === "[DONE]") ended = true;
          else if (onEvent(JSON.parse(data)) === false) {
            ended = true;
            resolve("left");
            sent.destroy();
            return;
          }
        }
        waiting = waiting.slice(from);
      });
      response.on("end", () => {
        if (response.statusCode !== 200) resolve({ status: response.statusCode, body: waiting });
        else if (ended) resolve("done");
        else
          reject(new Error(`the stream ended without [DONE], after ${JSON.stringify(waiting.slice(-200))}`));
      });
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(text);
  });
}

/** Chat Completions, streamed; `tokens` are the texts of its log-probabilities. */
export async function chat({ url, agent, body, onToken = () => {} }) {
  const answer = { text: "", tokens: [], usage: undefined, chunks: 0, finish: undefined };
  const end = await stream({
    url,
    agent,
    path: "/v1/chat/completions",
    body: { ...body, stream_options: { include_usage: true } },
    onEvent(event) {
      if (event.error) throw new Error(JSON.stringify(event.error));
      answer.usage = event.usage ?? answer.usage;
      const choice = event.choices[0];
      if (!choice) return true;
      answer.finish = choice.finish_reason ?? answer.finish;
      for (const { token } of choice.logprobs?.content ?? []) answer.tokens.push(token);
      const text = choice.delta.content ?? "";
      if (text === "") return true;
      answer.text += text;
      answer.chunks++;
      return onToken(answer);
    },
  });
  if (typeof end !== "string") throw new Error(`${end.status}: ${end.body}`);
  return answer;
}

/** Responses, streamed: `{ text, reasoning, usage, id }`; checks that the events are numbered without a gap. */
export async function respond({ url, agent, body, onEvent = () => {} }) {
  const answer = { text: "", reasoning: "", usage: undefined, id: undefined, status: undefined };
  let expected = 0;
  const end = await stream({
    url,
    agent,
    path: "/v1/responses",
    body,
    onEvent(event) {
      if (event.sequence_number !== expected++)
        throw new Error(`event ${event.sequence_number}, not ${expected - 1}`);
      if (event.type === "response.output_text.delta") answer.text += event.delta;
      else if (event.type === "response.reasoning_text.delta") answer.reasoning += event.delta;
      else if (event.response) {
        answer.id = event.response.id;
        answer.status = event.response.status;
        answer.usage = event.response.usage ?? undefined;
      }
      return onEvent(event, answer);
    },
  });
  if (typeof end !== "string") throw new Error(`${end.status}: ${end.body}`);
  return answer;
}
