// A loaded model as a language model of the AI SDK, in this process, without HTTP. Types come from `@ai-sdk/provider`,
// and nothing of it is needed at run time.

import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3StreamPart,
  LanguageModelV3StreamResult,
} from "@ai-sdk/provider";
import type { AgentEvent } from "../agent/index.ts";
import type { Conversation } from "../harmony/index.ts";
import { type Call, type GptOssProviderOptions, type StreamOptions, toCall } from "./call.ts";
import { createMemory, type Memory } from "./memory.ts";
import { createParts, foldParts, newId, unknownUsage } from "./parts.ts";

/** What `load()` and `createGptOss()` give. */
export interface GptOssModel {
  stream(messages: Conversation, options: StreamOptions): AsyncIterable<AgentEvent>;
}

/** What calls begin with; each can say otherwise with `providerOptions: { gptOss: … }`. */
export interface GptOssSettings extends GptOssProviderOptions {
  /** As it appears in telemetry and responses. Default: gpt-oss. */
  readonly modelId?: string;
}

/**
 * For `generateText`, `streamText` and everything else of the AI SDK that takes a language model: reasoning, tools,
 * structured output. Tools are run by the AI SDK; their calls carry the chain of thought to the next step.
 *
 * The model's errors are passed on as they are: GptOssError with a code. `ai-sdk/unsupported` for images and other files
 * that are no text.
 *
 * @example
 * const model = await load({ model: "20b" });
 * const { text, reasoningText } = await generateText({ model: gptOss(model), prompt: "What is 47 + 85?" });
 */
export function gptOss(model: GptOssModel, settings: GptOssSettings = {}): LanguageModelV3 {
  const { modelId = "gpt-oss", ...defaults } = settings;
  const memory = memoryOf(model);
  const open = (asked: LanguageModelV3CallOptions): Run => {
    const call = toCall(asked, { memory, defaults });
    return { model, modelId, memory, call, hasRawChunks: asked.includeRawChunks === true };
  };
  return {
    specificationVersion: "v3",
    provider: "gpt-oss",
    modelId,
    supportedUrls: {},
    doGenerate: async (asked) => foldParts(partsOf(open(asked))),
    doStream: async (asked) => ({ stream: toStream(open(asked)) }),
  };
}

const memories = new WeakMap<GptOssModel, Memory>();

/** One for each model, so that `gptOss(model)` may be written anew at every call. */
function memoryOf(model: GptOssModel): Memory {
  const memory = memories.get(model) ?? createMemory();
  memories.set(model, memory);
  return memory;
}

interface Run {
  readonly model: GptOssModel;
  readonly modelId: string;
  readonly memory: Memory;
  readonly call: Call;
  readonly hasRawChunks: boolean;
}

/** Throws what the model throws, and the signal's reason once it is aborted. */
async function* partsOf(run: Run): AsyncGenerator<LanguageModelV3StreamPart, void> {
  const { model, modelId, memory, call, hasRawChunks } = run;
  const { tools = {}, responseFormat, signal } = call.options;
  signal?.throwIfAborted();
  yield { type: "stream-start", warnings: call.warnings };
  yield { type: "response-metadata", id: newId("resp"), timestamp: new Date(), modelId };
  const parts = createParts({ memory, tools, isJson: responseFormat !== undefined });
  for await (const event of model.stream(call.messages, call.options)) {
    if (hasRawChunks) yield { type: "raw", rawValue: event };
    if (event.type === "run-end") signal?.throwIfAborted();
    yield* parts(event);
  }
}

function toStream(run: Run): LanguageModelV3StreamResult["stream"] {
  const leaving = new AbortController();
  const asked = run.call.options.signal;
  const signal = asked ? AbortSignal.any([asked, leaving.signal]) : leaving.signal;
  const options = { ...run.call.options, signal };
  const parts = partsOf({ ...run, call: { ...run.call, options } });
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        if (signal.aborted) return controller.error(error);
        controller.enqueue({ type: "error", error });
        const finishReason = { unified: "error", raw: undefined } as const;
        controller.enqueue({ type: "finish", finishReason, usage: unknownUsage });
        controller.close();
      }
    },
    async cancel(reason) {
      leaving.abort(reason);
      await parts.return();
    },
  });
}
