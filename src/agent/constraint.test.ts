// What a turn may consist of, in the tokens that gpt-oss samples: texts are taken apart into tokens and followed through
// the compiled constraint, as an engine would.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { random } from "../base/index.ts";
import { createGrammarCompiler } from "../engine/grammar/compile.ts";
import { compileConstraint, type Position } from "../engine/grammar/machine.ts";
import { parseTokens } from "../harmony/index.ts";
import { o200kHarmony, type TokenId } from "../tokenizer/index.ts";
import {
  afterCall,
  checkToolChoice,
  type TurnOpening,
  type TurnRules,
  turnConstraint,
} from "./constraint.ts";
import { tokensOf } from "./testing/scripted-model.ts";

const tokenizer = o200kHarmony();
const { vocabularySize } = tokenizer;
const tokenBytes = (token: number): Uint8Array | undefined =>
  tokenizer.isSpecial(token as TokenId) ? undefined : tokenizer.bytes(token as TokenId);
const limits = { vocabularySize, grammars: createGrammarCompiler({ vocabularySize, tokenBytes }) };

const weather = {
  parameters: {
    type: "object",
    properties: { location: { type: "string" } },
    required: ["location"],
    additionalProperties: false,
  },
};
const rules: TurnRules = {
  tools: { get_weather: weather, get_time: {} },
  recipients: ["functions.get_weather", "functions.get_time"],
  toolChoice: "auto",
  responseFormat: undefined,
};
const opening: TurnOpening = { isInFinal: false, mayThink: true };
const yesOrNo = { type: "choice", choices: ["yes", "no"] } as const;

/** How much of the text can be sampled: all of it, or up to the first token that cannot. */
function sampleable(text: string, changed: Partial<TurnRules>, from = opening): string {
  const constraint = turnConstraint(tokenizer, { ...rules, ...changed }, from);
  if (constraint === undefined) return text;
  const machine = compileConstraint(constraint, limits);
  const tokens = tokensOf(text, tokenizer);
  const logits = new Float32Array(vocabularySize);
  let at: Position = machine.start;
  for (const [index, token] of tokens.entries()) {
    logits.fill(0);
    machine.apply(at, logits);
    if (logits[token] !== 0) return tokenizer.decode(tokens.slice(0, index));
    at = machine.advance(at, token);
  }
  return text;
}

const thought = '<|channel|>analysis<|message|>Hm. {"a": 1<|end|><|start|>assistant';
const final = "<|channel|>final<|message|>";
const callOf = (name: string, body: string): string =>
  `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${body}<|call|>`;
const place = '{"location":"Paris"}';

function expectTaken(changed: Partial<TurnRules>, texts: readonly string[], from = opening): void {
  for (const text of texts) expect(sampleable(text, changed, from)).toBe(text);
}

function expectCut(changed: Partial<TurnRules>, text: string, at: string, from = opening): void {
  expect(sampleable(text, changed, from)).toBe(at);
}

test("without anything to enforce, nothing is", () => {
  expect(turnConstraint(tokenizer, rules, opening)).toBeUndefined();
});

describe("a response format", () => {
  const format = { responseFormat: yesOrNo };
  test("holds for the final message only, which ends with its return", () => {
    expectTaken(format, [`${final}yes<|return|>`, `${thought}${final}no<|return|>`]);
    expectCut(format, `${thought}${final}maybe<|return|>`, `${thought}${final}`);
    expectCut(format, `${thought}${final}yes<|end|>`, `${thought}${final}yes`);
    expectCut(format, `${thought}${final}yes yes`, `${thought}${final}yes`);
  });
  test("leaves calls as they are, and forbids preambles, which would be shown as part of it", () => {
    expectTaken(format, [`${thought}${callOf("get_weather", place)}`]);
    expectCut(format, `<|channel|>commentary<|message|>First`, "<|channel|>commentary");
  });
  test("begins at once where the prompt ends inside the final message", () => {
    const inFinal = { isInFinal: true, mayThink: false };
    expectTaken(format, ["yes<|return|>"], inFinal);
    expectCut(format, "maybe", "", inFinal);
  });
  test("does not let a thought end the turn", () => {
    expectCut(format, "<|channel|>analysis<|message|>Hm<|return|>", "<|channel|>analysis<|message|>Hm");
  });
});

describe("tool choice", () => {
  const answers = [`${final}Hello.<|return|>`, `${thought}${final}Hello.<|return|>`];
  const calls = [callOf("get_weather", place), `${thought}${callOf("get_time", "{}")}`];

  test("none: no recipient can be named", () => {
    expectTaken({ toolChoice: "none" }, answers);
    expectCut({ toolChoice: "none" }, calls[0], "<|channel|>");
    expectCut({ toolChoice: "none" }, ` to=functions.get_time<|channel|>commentary`, "");
  });

  test("required: a call comes before any answer or preamble, after one thought at most", () => {
    const changed = { toolChoice: "required" } as const;
    expectTaken(changed, calls);
    expectCut(changed, answers[0], "<|channel|>");
    expectCut(changed, answers[1], `${thought}<|channel|>`);
    expectCut(changed, "<|channel|>commentary<|message|>", "<|channel|>commentary");
    expectCut(changed, `${thought}<|channel|>analysis<|message|>`, `${thought}<|channel|>`);
  });

  test("a function: it and no other, after thinking or at once", () => {
    const changed = { toolChoice: { function: "get_time" } };
    expectTaken(changed, [callOf("get_time", "{}"), `${thought}${callOf("get_time", "{}")}`]);
    expectCut(changed, calls[0], "<|channel|>commentary to=functions.get");
    const atOnce = { isInFinal: false, mayThink: false };
    expectCut(changed, thought, "<|channel|>", atOnce);
    expectTaken(changed, [callOf("get_time", "{}")], atOnce);
  });

  test("allowed functions: only these, with or without need", () => {
    const changed = { toolChoice: { allowed: ["get_weather"], mode: "auto" } } as const;
    expectTaken(changed, [...answers, calls[0]]);
    expectCut(changed, callOf("get_time", "{}"), "<|channel|>commentary to=functions.get");
    expectCut({ toolChoice: { ...changed.toolChoice, mode: "required" } }, answers[0], "<|channel|>");
  });

  test("the recipient may stand on either side of the channel, with every content type that models write", () => {
    const changed = { toolChoice: "required" } as const;
    for (const type of [" <|constrain|>json", " json", ""]) {
      expectTaken(changed, [
        `<|channel|>commentary to=functions.get_time${type}<|message|>{}<|call|>`,
        ` to=functions.get_time<|channel|>commentary${type}<|message|>{}<|call|>`,
      ]);
    }
  });

  test("tools inside the chain of thought take code, on both channels", () => {
    const changed = { toolChoice: "required", recipients: ["python"] } as const;
    expectTaken(changed, ["<|channel|>analysis to=python code<|message|>print(1)<|call|>"]);
  });

  test("what is not offered is refused", () => {
    const bad = (toolChoice: TurnRules["toolChoice"], recipients = rules.recipients) =>
      expect(() => checkToolChoice({ ...rules, toolChoice, recipients })).toThrow(
        expect.objectContaining({ code: "agent/bad-tool" }),
      );
    bad({ function: "get_news" });
    bad({ allowed: ["get_time", "get_news"], mode: "auto" });
    bad({ allowed: [], mode: "required" });
    bad("required", []);
    expect(() => checkToolChoice({ ...rules, toolChoice: "none", recipients: [] })).not.toThrow();
  });

  test("is fulfilled by one call", () => {
    expect(afterCall("required")).toBe("auto");
    expect(afterCall({ function: "get_time" })).toBe("auto");
    expect(afterCall("none")).toBe("none");
    expect(afterCall({ allowed: ["get_time"], mode: "required" })).toEqual({
      allowed: ["get_time"],
      mode: "auto",
    });
  });
});

describe("strict arguments", () => {
  const strict = { tools: { ...rules.tools, get_weather: { ...weather, strict: true } } };
  test("follow the parameters and end with the call", () => {
    expectTaken(strict, [callOf("get_weather", place), `${final}Hello.<|return|>`]);
    const header = "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>";
    expectCut(strict, `${header}{"city":`, `${header}{"`);
    expectCut(strict, `${header}${place}<|return|>`, `${header}${place}`);
  });
  test("of functions without parameters are an empty object", () => {
    const changed = { tools: { ...rules.tools, get_time: { strict: true } } };
    const header = "<|channel|>commentary to=functions.get_time <|constrain|>json<|message|>";
    expectTaken(changed, [`${header}{}<|call|>`]);
    expectCut(changed, `${header}{"a":1}`, header);
  });
});

const source = random(9);
const noise = Float32Array.from({ length: 2 * vocabularySize }, () => source.float());

function argmax(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}

test("whatever is sampled under a constraint, the parser finds nothing to repair", () => {
  const choices: readonly TurnRules["toolChoice"][] = ["none", "required", "auto", { function: "get_time" }];
  const strict = { get_weather: { ...weather, strict: true }, get_time: { strict: true } };
  fc.assert(
    fc.property(fc.constantFrom(...choices), fc.boolean(), fc.integer(), (toolChoice, hasFormat, seed) => {
      const changed = {
        ...rules,
        tools: strict,
        toolChoice,
        responseFormat: hasFormat ? yesOrNo : undefined,
      };
      const machine = compileConstraint(turnConstraint(tokenizer, changed, opening)!, limits);
      const source = random(seed);
      const common = tokensOf(`<|end|><|return|><|call|>"}{}`, tokenizer);
      const logits = new Float32Array(vocabularySize);
      const sampled: TokenId[] = [];
      let at = machine.start;
      while (
        sampled.length < 80 &&
        ![tokenizer.special.return, tokenizer.special.call].includes(sampled.at(-1)!)
      ) {
        logits.set(noise.subarray(source.uint32() % vocabularySize).subarray(0, vocabularySize));
        for (const token of common) logits[token] += sampled.length / 40;
        machine.apply(at, logits);
        const token = argmax(logits) as TokenId;
        sampled.push(token);
        at = machine.advance(at, token);
      }
      const { messages, notes } = parseTokens(sampled, tokenizer, { recipients: rules.recipients });
      expect(notes).toEqual([]);
      const last = messages.at(-1)!;
      if (last.terminator === "call") expect(() => JSON.parse(last.message.content as string)).not.toThrow();
      if (hasFormat && last.terminator === "return") expect(["yes", "no"]).toContain(last.message.content);
      if (toolChoice === "required" && last.terminator !== "eos") expect(last.terminator).toBe("call");
    }),
    { seed: 5, numRuns: 15 },
  );
});
