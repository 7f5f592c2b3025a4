import { describe, expect, test } from "vitest";
import * as z from "zod";
import type { TokenId } from "../tokenizer/index.ts";
import { type AgentEvent, type AgentRequest, fold, runAgent, tool } from "./index.ts";
import { type ScriptedModel, scriptedModel, tokensOf } from "./testing/scripted-model.ts";

const ask = (text: string): AgentRequest["messages"] => [{ role: "user", content: text }];
const question: AgentRequest = { messages: ask("What is the weather in Paris?") };

const getWeather = tool({
  description: "Gets the current weather in the provided location.",
  parameters: z.object({ location: z.string() }),
  execute: ({ location }) => ({ sky: "sunny", location }),
});

const thinking = "<|channel|>analysis<|message|>Need weather.<|end|><|start|>assistant";
const call =
  '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"location":"Paris"}<|call|>';
const answer = "<|channel|>final<|message|>It is sunny.<|return|>";

async function collect(model: ScriptedModel, request: AgentRequest): Promise<AgentEvent[]> {
  const events: AgentEvent[] = [];
  for await (const event of runAgent(model, request)) events.push(event);
  return events;
}

const types = (events: readonly AgentEvent[]): string[] => {
  const names = events.map((event) => event.type);
  return names.filter((name, index) => name !== names[index - 1]);
};

describe("an answer", () => {
  test("streams reasoning and text, each with start and end, and folds to the same", async () => {
    const turn =
      "<|channel|>analysis<|message|>A sum 🧮.<|end|><|start|>assistant<|channel|>final<|message|>132 ✓<|return|>";
    const events = await collect(scriptedModel(turn), { messages: ask("47 + 85?") });
    expect(types(events)).toEqual([
      "turn-start",
      "reasoning-start",
      "reasoning-delta",
      "reasoning-end",
      "text-start",
      "text-delta",
      "text-end",
      "turn-end",
      "run-end",
    ]);
    const folded = await fold(runAgent(scriptedModel(turn), { messages: ask("47 + 85?") }));
    expect(folded).toMatchObject({ text: "132 ✓", reasoning: "A sum 🧮.", finishReason: "stop", notes: [] });
    expect(folded.messages).toEqual([
      { role: "assistant", channel: "analysis", content: "A sum 🧮." },
      { role: "assistant", channel: "final", content: "132 ✓" },
    ]);
  });

  test("counts reasoning apart from the rest of the output", async () => {
    const model = scriptedModel(thinking + answer);
    const { usage, tokens } = await fold(runAgent(model, question));
    const reasoning = tokensOf("<|channel|>analysis<|message|>Need weather.<|end|>", model.tokenizer).length;
    expect(usage).toEqual({
      promptTokens: model.requests[0].tokens.length,
      cachedTokens: 0,
      reasoningTokens: reasoning,
      outputTokens: tokens.length,
    });
    expect(tokens).toEqual(tokensOf(thinking + answer, model.tokenizer));
  });

  test("shows a preamble as such, not as reasoning", async () => {
    const model = scriptedModel(
      `<|channel|>commentary<|message|>Let me look.<|end|><|start|>assistant${answer}`,
    );
    const events = await collect(model, question);
    expect(events.find((event) => event.type === "preamble-end")).toMatchObject({
      message: { content: "Let me look." },
    });
  });

  test("cut off by the budget keeps what was said and says so", async () => {
    const folded = await fold(runAgent(scriptedModel(thinking + answer), { ...question, maxTokens: 4 }));
    expect(folded).toMatchObject({ finishReason: "length", text: "", reasoning: "Need" });
    expect(folded.messages).toEqual([]);
  });

  test("text without any markup is still an answer", async () => {
    const folded = await fold(
      runAgent(scriptedModel("The weather is sunny today in all of Paris, I think.<|return|>"), question),
    );
    expect(folded.text).toBe("The weather is sunny today in all of Paris, I think.");
    expect(folded.notes.length).toBeGreaterThan(0);
  });

  test("a turn that ends in nothing but thoughts is asked once more, in the final channel", async () => {
    const model = scriptedModel("<|channel|>analysis<|message|>Hm.<|return|>", "It is sunny.<|return|>");
    const folded = await fold(runAgent(model, question));
    expect(folded).toMatchObject({ text: "It is sunny.", reasoning: "Hm.", finishReason: "stop" });
    expect(folded.notes).toContainEqual({ kind: "answer-forced", reason: "no-answer" });
    expect(model.prompts[1]).toMatch(
      /<\|message\|>Hm\.<\|end\|><\|start\|>assistant<\|channel\|>final<\|message\|>$/,
    );
  });

  test("carries the log-probabilities of exactly its own tokens", async () => {
    const events = await collect(scriptedModel(thinking + answer), { ...question, topLogprobs: 1 });
    const sampled = events.flatMap((event) => (event.type === "text-delta" ? (event.logprobs ?? []) : []));
    expect(sampled.map(({ token }) => token)).toEqual(tokensOf("It is sunny.", scriptedModel().tokenizer));
  });

  test("ends where the model begins to speak for the user", async () => {
    const turn = "<|channel|>final<|message|>Sunny.<|end|><|start|>user<|message|>And in Rome?<|end|>";
    const folded = await fold(runAgent(scriptedModel(turn), question));
    expect(folded).toMatchObject({ text: "Sunny.", finishReason: "stop" });
    expect(folded.messages).toHaveLength(1);
    expect(folded.notes).toContainEqual({ kind: "message-discarded", role: "user" });
  });
});

describe("effort", () => {
  test("is written into the system message", async () => {
    const model = scriptedModel(answer);
    await fold(runAgent(model, { ...question, effort: "high", currentDate: "2025-06-28" }));
    expect(model.prompts[0]).toContain("Current date: 2025-06-28\n\nReasoning: high");
  });

  test("none begins inside the final channel", async () => {
    const model = scriptedModel("Sunny.<|return|>");
    const folded = await fold(runAgent(model, { ...question, effort: "none" }));
    expect(model.prompts[0].endsWith("<|start|>assistant<|channel|>final<|message|>")).toBe(true);
    expect(folded).toMatchObject({ text: "Sunny.", reasoning: "" });
  });

  test("changes a given system message in nothing else", async () => {
    const model = scriptedModel(answer);
    const messages: AgentRequest["messages"] = [
      { role: "system", content: { modelIdentity: "You are a pirate.", knowledgeCutoff: null } },
      ...question.messages,
    ];
    await fold(runAgent(model, { messages, effort: "low" }));
    expect(model.prompts[0].startsWith("<|start|>system<|message|>You are a pirate.\n\nReasoning: low")).toBe(
      true,
    );
  });
});

describe("instructions and tools", () => {
  test("join the developer message that is there", async () => {
    const model = scriptedModel(answer);
    const messages: AgentRequest["messages"] = [
      { role: "developer", content: { instructions: "Be brief." } },
      ...question.messages,
    ];
    await fold(
      runAgent(model, { messages, instructions: "Use metric units.", tools: { get_weather: getWeather } }),
    );
    expect(model.prompts[0].match(/<\|start\|>developer/g)).toHaveLength(1);
    expect(model.prompts[0]).toContain(
      "# Instructions\n\nBe brief.\n\nUse metric units.\n\n# Tools\n\n## functions",
    );
    expect(model.prompts[0]).toContain(
      "Calls to these tools must go to the commentary channel: 'functions'.",
    );
  });

  test("refuse a name that could not stand in a header", async () => {
    await expect(
      fold(runAgent(scriptedModel(), { ...question, tools: { "get weather": getWeather } })),
    ).rejects.toMatchObject({
      code: "agent/bad-tool",
    });
  });
});

describe("a tool call", () => {
  const request: AgentRequest = { ...question, tools: { get_weather: getWeather } };

  test("is run, and its result goes back to the model", async () => {
    const model = scriptedModel(thinking + call, answer);
    const events = await collect(model, request);
    expect(types(events)).toEqual([
      ..."turn-start reasoning-start reasoning-delta reasoning-end".split(" "),
      ..."tool-call-start tool-call-delta tool-call-end turn-end tool-result".split(" "),
      ..."turn-start text-start text-delta text-end turn-end run-end".split(" "),
    ]);
    expect(events.find((event) => event.type === "tool-result")).toMatchObject({
      name: "get_weather",
      output: '{"sky":"sunny","location":"Paris"}',
      isError: false,
    });
  });

  test("leaves the sampled tokens as they were, reasoning included, so that a cached prefix stays valid", async () => {
    // Tokens that no encoder would choose: a letter at a time.
    const tokenizer = scriptedModel().tokenizer;
    const spelled = [..."Need weather."].flatMap((letter) => tokenizer.encode(letter));
    const header = tokensOf("<|channel|>analysis<|message|>", tokenizer);
    const sampled = [...header, ...spelled, ...tokensOf(`<|end|><|start|>assistant${call}`, tokenizer)];
    const model = scriptedModel(sampled, answer);
    await fold(runAgent(model, request));
    const [first, second] = model.requests.map(({ tokens }) => tokens);
    expect(second.slice(0, first.length + sampled.length)).toEqual([...first, ...sampled]);
    expect(tokenizer.decode(second.slice(first.length + sampled.length) as TokenId[])).toBe(
      '<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>{"sky":"sunny","location":"Paris"}<|end|><|start|>assistant',
    );
  });

  test("stays as sampled in the next request, when its message objects come back", async () => {
    const memory = new WeakMap();
    const tools = { get_weather: tool({ parameters: z.object({ location: z.string() }) }) };
    const model = scriptedModel(thinking + call, answer);
    const first = await fold(runAgent(model, { ...question, tools, memory }));
    expect(first).toMatchObject({ finishReason: "tool-calls", pendingCalls: [{ name: "get_weather" }] });
    const result = {
      role: "tool",
      name: "functions.get_weather",
      recipient: "assistant",
      channel: "commentary",
      content: "sunny",
    } as const;
    const second = await fold(
      runAgent(model, { messages: [...question.messages, ...first.messages, result], tools, memory }),
    );
    expect(second.text).toBe("It is sunny.");
    expect(model.prompts[1].startsWith(model.prompts[0] + thinking + call)).toBe(true);
  });

  test("with wrong arguments is told what is wrong, and may be made again", async () => {
    const wrong = call.replace('"Paris"', "7");
    const model = scriptedModel(wrong, call, answer);
    const folded = await fold(runAgent(model, request));
    expect(folded.text).toBe("It is sunny.");
    expect(model.prompts[1]).toContain("Error: the arguments do not match the parameters: location: ");
  });

  test("with broken JSON is told so", async () => {
    const model = scriptedModel(call.replace("}", ""), answer);
    await fold(runAgent(model, request));
    expect(model.prompts[1]).toContain("Error: the arguments are not valid JSON: ");
  });

  test("that throws becomes a result the model can read", async () => {
    const failing = tool({
      parameters: z.object({ location: z.string() }),
      execute: () => {
        throw new Error("the thermometer is broken");
      },
    });
    const model = scriptedModel(call, answer);
    const events = await collect(model, { ...question, tools: { get_weather: failing } });
    expect(events.find((event) => event.type === "tool-result")).toMatchObject({
      output: "Error: the thermometer is broken",
      isError: true,
    });
  });

  test("of a tool that does not exist is told what exists", async () => {
    const model = scriptedModel(call.replace("get_weather", "launch_rocket"), answer);
    const folded = await fold(runAgent(model, request));
    expect(model.prompts[1]).toContain(
      'Error: unknown tool "launch_rocket". Available: functions.get_weather',
    );
    expect(folded).toMatchObject({ text: "It is sunny.", finishReason: "stop" });
  });

  test("made in parallel with another gets its result in order", async () => {
    const first = call.replace("<|call|>", "<|end|>");
    const second = `<|start|>assistant${call.replace("Paris", "Rome")}`;
    const model = scriptedModel(first + second, answer);
    const folded = await fold(runAgent(model, request));
    expect(folded.messages.map((message) => message.role)).toEqual([
      "assistant",
      "assistant",
      "tool",
      "tool",
      "assistant",
    ]);
    expect(folded.toolCalls.map((made) => made.arguments)).toEqual([
      '{"location":"Paris"}',
      '{"location":"Rome"}',
    ]);
  });

  test("that the model answers by itself is answered by the tool instead", async () => {
    const invented = `${call.replace("<|call|>", "<|end|>")}<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>{"sky":"snow"}<|end|><|start|>assistant${answer}`;
    const model = scriptedModel(invented, answer);
    const folded = await fold(runAgent(model, request));
    expect(model.prompts[1]).not.toContain("snow");
    expect(folded.notes).toContainEqual({ kind: "message-discarded", role: "tool" });
  });

  test("in the analysis channel is a call if it ends like one, and a thought if not", async () => {
    const header = "<|channel|>analysis to=functions.get_weather<|message|>";
    const made = await fold(
      runAgent(scriptedModel(`${header}{"location":"Paris"}<|call|>`, answer), request),
    );
    expect(made.toolCalls).toHaveLength(1);
    const thought = await fold(
      runAgent(scriptedModel(`${header}Hm, Paris.<|end|><|start|>assistant${answer}`), request),
    );
    expect(thought).toMatchObject({ toolCalls: [], reasoning: "Hm, Paris.", text: "It is sunny." });
    expect(thought.messages[0]).toEqual({ role: "assistant", channel: "analysis", content: "Hm, Paris." });
  });

  test("cannot go on forever: the last turn has to answer", async () => {
    const model = scriptedModel(call, call, "It is sunny.<|return|>");
    const folded = await fold(runAgent(model, { ...request, maxTurns: 3 }));
    expect(folded).toMatchObject({ text: "It is sunny.", finishReason: "stop" });
    expect(folded.notes).toContainEqual({ kind: "answer-forced", reason: "turn-limit" });
  });

  test("is not run when it is cut off", async () => {
    let calls = 0;
    const counting = tool({ execute: () => calls++ });
    const tokens = tokensOf(call, scriptedModel().tokenizer).length;
    const folded = await fold(
      runAgent(scriptedModel(call), { ...question, tools: { get_weather: counting }, maxTokens: tokens - 2 }),
    );
    expect(folded).toMatchObject({ finishReason: "length", toolCalls: [], pendingCalls: [] });
    expect(calls).toBe(0);
  });

  test("shares one budget of tokens with all turns", async () => {
    const model = scriptedModel(call, answer);
    const tokens = tokensOf(call, model.tokenizer).length;
    const folded = await fold(runAgent(model, { ...request, maxTokens: tokens + 2 }));
    expect(folded).toMatchObject({ finishReason: "length", usage: { outputTokens: tokens + 2 } });
  });
});

describe("an abort", () => {
  test("while sampling ends the run with what was said", async () => {
    const controller = new AbortController();
    const events: AgentEvent[] = [];
    for await (const event of runAgent(scriptedModel(answer), { ...question, signal: controller.signal })) {
      events.push(event);
      if (event.type === "text-delta") controller.abort();
    }
    expect(events.at(-1)).toMatchObject({ type: "run-end", finishReason: "aborted" });
    expect(events.find((event) => event.type === "text-end")).toMatchObject({ isComplete: false });
  });

  test("while a tool runs does not wait for it, and leaves a history without open calls", async () => {
    const controller = new AbortController();
    const stuck = tool({ execute: () => new Promise(() => controller.abort()) });
    const folded = await fold(
      runAgent(scriptedModel(call), {
        ...question,
        tools: { get_weather: stuck },
        signal: controller.signal,
      }),
    );
    expect(folded.finishReason).toBe("aborted");
    expect(folded.messages.at(-1)).toMatchObject({ role: "tool", content: "Error: the call was aborted" });
  });
});
