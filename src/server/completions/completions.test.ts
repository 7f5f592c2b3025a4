import { describe, expect, test } from "vitest";
import { o200kHarmony } from "../../tokenizer/index.ts";
import { framesOf, post, type ScriptedServer, scriptedServer, tokens } from "../testing/scripted-server.ts";

const path = "/v1/completions";

interface Completion {
  readonly choices: readonly { index: number; text: string; logprobs: unknown; finish_reason: string }[];
  readonly usage: Record<string, unknown>;
}

async function complete(server: ScriptedServer, body: object): Promise<Completion> {
  const response = await server.fetch(post(path, { model: "test", ...body }));
  const json = (await response.json()) as Completion;
  expect(response.status, JSON.stringify(json)).toBe(200);
  return json;
}

describe("a text", () => {
  test("is continued as it is: nothing around it, and control tokens only as ids", async () => {
    const server = scriptedServer([" and away<|return|>"]);
    const prompt = "Up <|end|>";
    const { choices, usage, ...head } = await complete(server, { prompt });
    expect(head).toMatchObject({
      id: expect.stringMatching(/^cmpl-\w+$/),
      object: "text_completion",
      model: "test",
    });
    expect(choices).toEqual([{ index: 0, text: " and away", logprobs: null, finish_reason: "stop" }]);
    const { tokens: asked, maxTokens } = server.engine.requests[0];
    expect(asked).toEqual(o200kHarmony().encode(prompt));
    expect(asked).not.toContain(o200kHarmony().special.end);
    expect(maxTokens).toBe(16);
    expect(usage).toMatchObject({ prompt_tokens: asked.length, completion_tokens: 3 });
  });

  test("may be tokens, or several texts, each with its choices in order", async () => {
    const ids = tokens("<|start|>user<|message|>Hi<|end|>");
    const one = scriptedServer([" there<|return|>"]);
    await complete(one, { prompt: ids });
    expect(one.engine.requests[0].tokens).toEqual(ids);

    const four = scriptedServer(["a<|return|>", "b<|return|>", "c<|return|>", "d<|return|>"]);
    const { choices, usage } = await complete(four, { prompt: ["one", "one two"], n: 2, seed: 5 });
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, "a"],
      [1, "b"],
      [2, "c"],
      [3, "d"],
    ]);
    expect(four.engine.requests.map(({ sampling }) => sampling?.seed)).toEqual([5, 6, 5, 6]);
    expect(usage).toMatchObject({ prompt_tokens: 1 + 2 });
  });

  test("ends at a stop string, at the limit, and hides control tokens unless they are asked for", async () => {
    const script = "one<|end|> two STOP three<|return|>";
    const stopped = await complete(scriptedServer([script]), { prompt: "", stop: "STOP" });
    expect(stopped.choices[0]).toMatchObject({ text: "one two ", finish_reason: "stop" });
    const cut = await complete(scriptedServer([script]), { prompt: "", max_tokens: 1 });
    expect(cut.choices[0]).toMatchObject({ text: "one", finish_reason: "length" });
    const raw = await complete(scriptedServer([script]), { prompt: "", skip_special_tokens: false });
    expect(raw.choices[0].text).toBe("one<|end|> two STOP three");
  });

  test("has log-probabilities side by side, with the place of each token", async () => {
    const { choices } = await complete(scriptedServer(["one two<|return|>"]), { prompt: "a", logprobs: 1 });
    expect(choices[0].logprobs).toEqual({
      tokens: ["one", " two"],
      token_logprobs: [0, 0],
      top_logprobs: [{ one: 0 }, { " two": 0 }],
      text_offset: [0, 3],
    });
  });

  test("streams to the same", async () => {
    const body = { model: "test", prompt: "a", stream: true, stream_options: { include_usage: true } };
    const frames = await framesOf(await scriptedServer(["one two<|return|>"]).fetch(post(path, body)));
    expect(frames.pop()).toBe("[DONE]");
    const last = frames.pop();
    expect(last).toMatchObject({ choices: [], usage: { completion_tokens: 3 } });
    const parts = (frames as Completion[]).flatMap(({ choices }) => choices);
    expect(parts.map(({ text }) => text).join("")).toBe("one two");
    expect(parts.at(-1)?.finish_reason).toBe("stop");
  });

  test("that cannot be continued so is refused", async () => {
    const server = scriptedServer([]);
    const cases = [
      [{ prompt: "a", suffix: "b" }, "suffix"],
      [{ prompt: "a", echo: true }, "echo"],
      [{ prompt: "a", best_of: 3 }, "best_of"],
      [{ prompt: "a", n: 100 }, "n"],
      [{}, "prompt"],
      [{ prompt: [] }, "prompt"],
      [{ prompt: [-1] }, "prompt[0]"],
    ] as const;
    for (const [body, param] of cases) {
      const response = await server.fetch(post(path, { model: "test", ...body }));
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as { error: { param: string } };
      expect(error.param, JSON.stringify(body)).toBe(param);
    }
  });

  test("is left when its reader leaves", async () => {
    const endless = function* () {
      while (true) yield* tokens(" on");
    };
    const server = scriptedServer([endless]);
    const response = await server.fetch(
      post(path, { model: "test", prompt: "a", max_tokens: 100_000, stream: true }),
    );
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    await expect.poll(() => server.engine.running).toBe(0);
  });
});
