// POST /v1/responses/input_tokens: how long the prompt of a request would be.

import { openPrompt } from "../../agent/index.ts";
import { parseBody, readBody } from "../body.ts";
import type { Call } from "../context.ts";
import type { ResponsesApiParts } from "./options.ts";
import { prepare } from "./prepare.ts";
import { inputTokensBody } from "./schema.ts";

export async function countInputTokens(
  api: ResponsesApiParts,
  call: Call,
  request: Request,
): Promise<Response> {
  const body = parseBody(inputTokensBody, await readBody(request, api.context.limits));
  const prepared = await prepare(api, body, { keyName: call.key });
  const { tokens } = openPrompt(prepared.model.tokenizer, prepared.request);
  return Response.json({ object: "response.input_tokens", input_tokens: tokens.length });
}
