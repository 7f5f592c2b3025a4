// What an operator can measure, in Prometheus' text format. Owns the names; knows runs and requests by their numbers
// only, never by what was said.

import type { AgentEvent, RunFinishReason } from "../agent/index.ts";
import type { ServedModel } from "./context.ts";
import { createRegistry, type Registry } from "./prometheus.ts";

export interface Metrics {
  /** `route` is the pattern, such as `/v1/models/:id`, and not what was asked, which anyone can make up. */
  request(request: { route: string; method: string; status: number; seconds: number }): void;
  startRun(labels: { api: string; model: string }): MeasuredRun;
  /** `text/plain; version=0.0.4` */
  text(state: { models: readonly ServedModel[]; inside: number }): string;
}

export interface MeasuredRun {
  add(event: AgentEvent): void;
  /** What was used in all. */
  end(): { readonly promptTokens: number; readonly outputTokens: number };
}

const latencyBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** `now` in milliseconds. */
export function createMetrics(now: () => number): Metrics {
  const registry = createRegistry();
  const started = now() / 1000;
  const requests = registry.counter("gpt_oss_requests_total", "HTTP requests by route, method and status.");
  const seconds = registry.histogram(
    "gpt_oss_request_seconds",
    "From a request to the end of its answer.",
    latencyBuckets,
  );
  const runs = registry.counter("gpt_oss_runs_total", "Answers by API, model and how they ended.");
  const firstToken = registry.histogram(
    "gpt_oss_time_to_first_token_seconds",
    "From a request's admission to the first sampled token.",
    latencyBuckets,
  );
  const tokens = registry.counter(
    "gpt_oss_tokens_total",
    "Tokens by kind: prompt, cached (of the prompt), output, reasoning (of the output).",
  );

  return {
    request({ route, method, status, seconds: took }) {
      requests.add({ route, method, status: String(status) });
      seconds.observe({ route }, took);
    },
    startRun(labels) {
      const begin = now();
      let isFirst = true;
      let finishReason: RunFinishReason | "error" = "error";
      const used = { promptTokens: 0, outputTokens: 0 };
      const { model } = labels;
      return {
        add(event) {
          if (isFirst && event.type !== "turn-start") {
            isFirst = false;
            firstToken.observe(labels, (now() - begin) / 1000);
          }
          if (event.type === "run-end") finishReason = event.finishReason;
          if (event.type !== "turn-end") return;
          const { usage } = event;
          used.promptTokens += usage.promptTokens;
          used.outputTokens += usage.outputTokens;
          tokens.add({ model, kind: "prompt" }, usage.promptTokens);
          tokens.add({ model, kind: "cached" }, usage.cachedTokens);
          tokens.add({ model, kind: "output" }, usage.outputTokens);
          tokens.add({ model, kind: "reasoning" }, usage.reasoningTokens);
        },
        end() {
          runs.add({ ...labels, finish_reason: finishReason });
          return used;
        },
      };
    },
    text({ models, inside }) {
      const gauges = createRegistry();
      gauges.gauge("gpt_oss_start_time_seconds", "When this server was started.").set({}, started);
      gauges.gauge("gpt_oss_requests_inside", "Answers in progress or waiting.").set({}, inside);
      engineGauges(gauges, models);
      return registry.text() + gauges.text();
    },
  };
}

function engineGauges(registry: Registry, models: readonly ServedModel[]): void {
  const gauge = (name: string, help: string) => registry.gauge(`gpt_oss_engine_${name}`, help);
  const counter = (name: string, help: string) => registry.counter(`gpt_oss_engine_${name}_total`, help);
  const running = gauge("running", "Sequences that are part of the engine's steps.");
  const waiting = gauge("waiting", "Sequences that wait for a place.");
  const prefixes = gauge("prefixes", "Starts of earlier sequences that are kept to be continued.");
  const held = gauge("cache_blocks_held", "Blocks of the key-value cache in use, by group of layers.");
  const blocks = gauge("cache_blocks", "Blocks of the key-value cache, by group of layers.");
  const steps = counter("steps", "Steps since the engine was made.");
  const lost = counter("preemptions", "How often a sequence lost its place and had to run again.");
  const computed = counter("computed_tokens", "Tokens that ran through the model, all of them.");
  const guesses = counter("guesses", "Guessed tokens, by whether they were sampled indeed.");
  for (const { id: model, engine } of models) {
    const status = engine.status();
    running.set({ model }, status.running);
    waiting.set({ model }, status.waiting);
    prefixes.set({ model }, status.prefixes);
    for (const [group, count] of status.heldBlocks.entries())
      held.set({ model, group: String(group) }, count);
    for (const [group, count] of status.cacheBlocks.entries())
      blocks.set({ model, group: String(group) }, count);
    steps.add({ model }, status.steps);
    lost.add({ model }, status.preemptions);
    computed.add({ model }, status.computedTokens);
    guesses.add({ model, outcome: "accepted" }, status.acceptedGuesses);
    guesses.add({ model, outcome: "refused" }, status.refusedGuesses);
  }
}
