import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GptOssError, random } from "../base/index.ts";
import { formatConfig, formatGenerationConfig, type ModelConfig, parseConfig, shapes } from "./index.ts";
import { errorOf } from "./testing/tiny-model.ts";

const read = (path: string) => ({ name: path, text: readFileSync(path, "utf8") });
const micro = read("models/micro/config.json");
const microGeneration = read("models/micro/generation_config.json");
const microOriginal = read("test/golden/micro-original/config.json");

const edited = (file: { text: string }, edit: (json: Record<string, unknown>) => unknown) => {
  const json = JSON.parse(file.text);
  edit(json);
  return { name: "config.json", text: JSON.stringify(json) };
};

describe("the spellings in which a config is published", () => {
  test("Hugging Face and original spell the same model", () => {
    const { stopTokens, ...fromHuggingFace } = parseConfig(micro, microGeneration);
    const { stopTokens: none, ...fromOriginal } = parseConfig(microOriginal);
    expect(fromOriginal).toEqual(fromHuggingFace);
    expect(stopTokens).toEqual([2050, 2049, 2056]);
    expect(none).toEqual([]);
  });

  test("rope_parameters, with theta inside, means what rope_scaling meant", () => {
    const newer = edited(micro, (json) => {
      const { rope_scaling, rope_theta } = json;
      json.rope_parameters = { ...(rope_scaling as object), rope_theta };
      json.rope_scaling = undefined;
      json.rope_theta = undefined;
    });
    expect(parseConfig(newer)).toEqual(parseConfig(micro));
  });

  test("one spelling of experts per token is enough; layer types alternate when they are not given", () => {
    const sparse = edited(micro, (json) => {
      json.experts_per_token = undefined;
      json.layer_types = null;
      json.swiglu_limit = undefined;
    });
    expect(parseConfig(sparse)).toEqual(parseConfig(micro));
  });

  test("a rotation without YaRN is YaRN with factor 1", () => {
    const plain = edited(micro, (json) => {
      json.rope_scaling = { rope_type: "default" };
    });
    expect(parseConfig(plain).rope.factor).toBe(1);
  });

  test("NaN and Infinity, which Python writes, do no harm in fields that are not read", () => {
    const text = micro.text.replace(
      '"initializer_range": 0.02',
      '"initializer_range": NaN, "x": [-Infinity]',
    );
    expect(text).not.toBe(micro.text);
    expect(parseConfig({ name: "config.json", text })).toEqual(parseConfig(micro));
  });
});

describe("a config that would give wrong answers quietly is refused, with file, field, value and expectation", () => {
  const cases: [string, (json: Record<string, unknown>) => unknown, RegExp][] = [
    ["missing size", (j) => delete j.hidden_size, /config\.json: hidden_size is missing; expected a whole/],
    ["string", (j) => (j.hidden_size = "128"), /hidden_size is "128"; expected a whole number/],
    ["fraction", (j) => (j.num_hidden_layers = 1.5), /num_hidden_layers is 1\.5/],
    ["zero", (j) => (j.num_local_experts = 0), /num_local_experts is 0/],
    ["negative", (j) => (j.vocab_size = -1), /vocab_size is -1/],
    ["absurd", (j) => (j.num_hidden_layers = 1e9), /num_hidden_layers is 1000000000; .* to 1024/],
    ["boolean", (j) => (j.head_dim = true), /head_dim is true/],
    ["list", (j) => (j.head_dim = [64]), /head_dim is a list/],
    ["odd head", (j) => (j.head_dim = 63), /head_dim is 63; expected a multiple of 2/],
    ["block", (j) => (j.intermediate_size = 100), /intermediate_size is 100; expected a multiple of 32/],
    ["groups", (j) => (j.num_key_value_heads = 3), /num_key_value_heads is 3; expected a divisor/],
    ["top k", (j) => (j.num_experts_per_tok = 17), /num_experts_per_tok is 17; .* to 16/],
    [
      "disagreement",
      (j) => (j.experts_per_token = 2),
      /experts_per_token is 2; expected 4, as num_experts_per_tok/,
    ],
    ["no window", (j) => (j.sliding_window = null), /sliding_window is missing/],
    ["layer types", (j) => (j.layer_types = ["full_attention"]), /one entry for each of the 4 layers/],
    [
      "layer type",
      (j) => (j.layer_types = [0, 1, 2, 3]),
      /layer_types\[0\] is 0; expected "sliding_attention"/,
    ],
    ["no rope", (j) => delete j.rope_scaling, /rope_parameters or rope_scaling is missing/],
    ["rope type", (j) => (j.rope_scaling = { rope_type: "llama3" }), /rope_scaling: rope_type is "llama3"/],
    [
      "rope factor",
      (j) => (j.rope_scaling = { rope_type: "yarn", factor: 0 }),
      /rope_scaling: factor is 0; expected/,
    ],
    [
      "attention factor",
      (j) => (j.rope_scaling = { ...(j.rope_scaling as object), attention_factor: 1 }),
      /attention_factor is 1; expected 1\.3465/,
    ],
    [
      "rope bounds",
      (j) => (j.rope_scaling = { ...(j.rope_scaling as object), beta_fast: 1, beta_slow: 32 }),
      /beta_fast/,
    ],
    ["theta", (j) => (j.rope_theta = -5), /rope_theta is -5/],
    ["another model", (j) => (j.model_type = "llama"), /model_type is "llama"; expected "gpt_oss"/],
    ["tied", (j) => (j.tie_word_embeddings = true), /tie_word_embeddings is true; expected false/],
    [
      "another quantisation",
      (j) => (j.quantization_config = { quant_method: "bitsandbytes" }),
      /quantization_config: quant_method is "bitsandbytes"; expected "mxfp4"/,
    ],
    ["terminal escapes", (j) => (j.model_type = "\u001b[2J\u009b"), /"\\u001b\[2J\\u009b"/],
  ];
  test.each(cases)("%s", async (_what, edit, message) => {
    const error = await errorOf(() => parseConfig(edited(micro, edit)));
    expect(error.code).toBe("checkpoint/bad-config");
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
  });

  test.each([
    ["NaN", /rms_norm_eps is NaN/],
    ["Infinity", /rms_norm_eps is Infinity/],
    ["-Infinity", /rms_norm_eps is -Infinity/],
    ["1e999", /rms_norm_eps is Infinity/],
  ])("%s in a field that is read", async (value, message) => {
    const text = micro.text.replace('"rms_norm_eps": 1e-05', `"rms_norm_eps": ${value}`);
    const error = await errorOf(() => parseConfig({ name: "config.json", text }));
    expect([error.code, error.message]).toEqual(["checkpoint/bad-config", expect.stringMatching(message)]);
  });

  test.each(["", "{", "[]", "null", "NaN", '{"a": nan}', "\u0000", "{'a': 1}"])(
    "not JSON: %j",
    async (text) => {
      const error = await errorOf(() => parseConfig({ name: "config.json", text }));
      expect([error.code, error.message]).toEqual([
        "checkpoint/bad-config",
        expect.stringMatching(/^config\.json: (not JSON|expected a JSON object)/),
      ]);
    },
  );

  test("stop tokens outside the vocabulary", async () => {
    const generation = { name: "generation_config.json", text: '{"eos_token_id": [2050, 2080]}' };
    const error = await errorOf(() => parseConfig(micro, generation));
    expect(error.message).toMatch(
      /generation_config\.json: eos_token_id is 2080; expected token ids below vocab_size, 2080/,
    );
  });
});

describe("writing", () => {
  const anyConfig: fc.Arbitrary<ModelConfig> = fc
    .record({
      layers: fc.integer({ min: 1, max: 6 }),
      kvHeads: fc.integer({ min: 1, max: 8 }),
      queriesPerKey: fc.integer({ min: 1, max: 8 }),
      experts: fc.integer({ min: 1, max: 128 }),
      factor: fc.constantFrom(1, 1.5, 32),
      truncate: fc.boolean(),
      slides: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      contextLength: fc.constantFrom(4096, 131072, 1000),
      rmsNormEpsilon: fc.constantFrom(1e-5, 1e-6),
      vocabularySize: fc.constantFrom(100, 201088),
    })
    .map(({ queriesPerKey, factor, truncate, ...given }) => ({
      ...shapes["gpt-oss-20b"],
      ...given,
      slides: given.slides.slice(0, given.layers),
      heads: given.kvHeads * queriesPerKey,
      expertsPerToken: Math.min(4, given.experts),
      rope: { ...shapes["gpt-oss-20b"].rope, factor, truncate },
      stopTokens: [3, 5],
    }));

  test("what is written in either layout reads back as the same config", () => {
    fc.assert(
      fc.property(anyConfig, fc.constantFrom("huggingface", "original"), (config, layout) => {
        const file = { name: "config.json", text: formatConfig(config, layout as "huggingface") };
        const generation = { name: "generation_config.json", text: formatGenerationConfig(config) };
        expect(parseConfig(file, generation)).toEqual(config);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("the micro model's original config.json is written key for key", () => {
    expect(JSON.parse(formatConfig(parseConfig(micro), "original"))).toEqual(JSON.parse(microOriginal.text));
  });

  test("the micro model's Hugging Face config.json is written key for key, padding token apart", () => {
    const { pad_token_id: _, ...published } = JSON.parse(micro.text);
    expect(JSON.parse(formatConfig(parseConfig(micro, microGeneration), "huggingface"))).toEqual(published);
  });
});

test("fuzz: a damaged config is refused with a code, or is a config", () => {
  const { uint32 } = random(7);
  const pick = <T>(list: readonly T[]): T => list[uint32() % list.length];
  const values = [
    NaN,
    -1,
    0,
    1,
    2 ** 31,
    2 ** 53,
    1e308,
    "64",
    "",
    null,
    true,
    [],
    {},
    [[]],
    { a: 1 },
    0.5,
    "yarn",
  ];
  let refused = 0;
  for (let round = 0; round < 6000; round++) {
    const original = round % 3 === 0 ? microOriginal : micro;
    let { text } = original;
    if (round % 2 === 0) {
      const json = JSON.parse(text);
      for (let change = 0; change <= round % 3; change++) {
        const holder = uint32() % 4 === 0 && json.rope_scaling ? json.rope_scaling : json;
        if (typeof holder === "object") holder[pick(Object.keys(holder)) ?? "x"] = pick(values);
      }
      text = JSON.stringify(json);
    } else {
      const bytes = new TextEncoder().encode(text);
      for (let change = 0; change <= round % 5; change++) bytes[uint32() % bytes.length] = uint32() & 0xff;
      text = new TextDecoder().decode(bytes);
    }
    try {
      const config = parseConfig({ name: "config.json", text });
      expect(config.heads % config.kvHeads).toBe(0);
      expect(config.slides.length).toBe(config.layers);
      for (const value of [
        config.hiddenSize,
        config.vocabularySize,
        config.rope.theta,
        config.rmsNormEpsilon,
      ])
        expect(value).toBeGreaterThan(0);
    } catch (error) {
      if (!GptOssError.isInstance(error)) throw error;
      expect(error.code).toBe("checkpoint/bad-config");
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(2000);
});

test("a hostile config of megabytes is refused in bounded time", async () => {
  for (const text of ["[".repeat(4e6), `"${"\\\\".repeat(2e6)}`, '"'.repeat(4e6), '{"a":'.repeat(8e5)])
    expect((await errorOf(() => parseConfig({ name: "config.json", text }))).code).toBe(
      "checkpoint/bad-config",
    );
});
