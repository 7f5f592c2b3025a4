// An answer that may take minutes and is not streamed. Clients give up when no headers come for 300 s (undici), so after
// a while they are sent, with spaces before the JSON; what fails after that can only be said inside of it.

import type { Call } from "./context.ts";
import { type HttpError, toHttpError } from "./errors.ts";
import { streamOf } from "./sse.ts";
import { late, unlessLate } from "./unless-late.ts";

export interface EventualJsonOptions {
  readonly call: Call;
  readonly work: Promise<unknown>;
  /** The body that tells of a failure when the status has been sent. */
  readonly lateError: (error: HttpError) => unknown;
  readonly afterMs: number;
}

/** Rejects with what `work` rejects with, if that comes before the headers. */
export async function eventualJson({
  call,
  work,
  lateError,
  afterMs,
}: EventualJsonOptions): Promise<Response> {
  const early = await unlessLate(
    work.then((value) => ({ value })),
    afterMs,
  );
  if (early !== late) return Response.json(early.value);

  async function* body(): AsyncGenerator<string, void> {
    yield " ";
    while (true) {
      const result = await unlessLate(
        work.then(
          (value) => ({ value }),
          (error: unknown) => ({ value: lateError(toHttpError(error)) }),
        ),
        afterMs,
      );
      if (result !== late) return void (yield JSON.stringify(result.value));
      yield " ";
    }
  }
  return new Response(streamOf(call, body()), { headers: { "content-type": "application/json" } });
}
