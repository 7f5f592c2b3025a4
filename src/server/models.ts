// The list of models, and the way from a name to one of them. Ids may contain slashes, as they do on the hub.

import { Hono } from "hono";
import * as z from "zod";
import type { ServedModel, ServerContext, ServerEnv } from "./context.ts";
import { HttpError, retryAfterSeconds } from "./errors.ts";
import type { Operation } from "./openapi.ts";
import { named, unixSeconds, type Wire } from "./wire.ts";

export interface ModelTable {
  /** Empty while they are loading. */
  readonly all: readonly ServedModel[];
  readonly isLoading: boolean;
  get(id: string | null | undefined): ServedModel;
}

export interface ModelTableOptions {
  readonly models: readonly ServedModel[] | Promise<readonly ServedModel[]>;
  /** With one model: whatever name a client asks for means it. */
  readonly anyName: boolean;
}

export function createModelTable({ models, anyName }: ModelTableOptions): ModelTable {
  let all: readonly ServedModel[] = [];
  let state: "loading" | "ready" | "failed" = "loading";
  if (isPromise(models)) {
    models.then(
      (loaded) => {
        [all, state] = [loaded, "ready"];
      },
      () => {
        state = "failed"; // whoever loads them says why
      },
    );
  } else [all, state] = [models, "ready"];

  const find = (id: string | null | undefined): ServedModel | undefined =>
    all.find((model) => model.id === id) ??
    all.find(({ aliases }) => typeof id === "string" && aliases?.includes(id));

  return {
    get all() {
      return all;
    },
    get isLoading() {
      return state !== "ready";
    },
    get(id) {
      if (state !== "ready") throw loading();
      const found = find(id) ?? (anyName && all.length === 1 ? all[0] : undefined);
      if (found) return found;
      if (typeof id !== "string" || id === "") {
        const message = `Missing required parameter: 'model'. This server has ${namesOf(all)}.`;
        throw new HttpError(400, { code: "missing_required_parameter", param: "model", message });
      }
      const message = `The model '${id.slice(0, 100)}' does not exist. This server has ${namesOf(all)}.`;
      throw new HttpError(404, { code: "model_not_found", param: "model", message });
    },
  };
}

const isPromise = (value: object): value is Promise<readonly ServedModel[]> => "then" in value;

const namesOf = (models: readonly ServedModel[]): string => models.map(({ id }) => `'${id}'`).join(", ");

export function loading(): HttpError {
  return new HttpError(503, {
    code: "model_loading",
    message: "The model is being loaded. Try again in a moment.",
    headers: { "retry-after": String(retryAfterSeconds) },
  });
}

export function modelsRoutes(context: ServerContext): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  routes.get("/v1/models", (c) => c.json({ object: "list", data: context.models.map(wireModel) }));
  routes.get("/v1/models/:id{.+}", (c) => c.json(wireModel(context.model(c.req.param("id")))));
  return routes;
}

const modelSchema = named(
  "Model",
  z.object({
    id: z.string(),
    object: z.literal("model"),
    created: unixSeconds,
    owned_by: z.string(),
    max_model_len: z
      .int()
      .describe("Tokens of prompt and answer; as vLLM names it, OpenAI has no such field"),
  }),
);

const modelList = named("ModelList", z.object({ object: z.literal("list"), data: z.array(modelSchema) }));

export const modelOperations: readonly Operation[] = [
  { method: "get", path: "/v1/models", summary: "The models of this server", answer: modelList },
  { method: "get", path: "/v1/models/{id}", summary: "One model", answer: modelSchema },
];

const wireModel = ({ id, created, ownedBy = "openai", engine }: ServedModel): Wire<typeof modelSchema> => ({
  id,
  object: "model",
  created,
  owned_by: ownedBy,
  max_model_len: engine.contextLength,
});
