// What every description of the wire shares. A schema here is the one source of what an answer looks like: types in the
// code are made from it, and so is the server's own description; the tests hold every answer against that.

import * as z from "zod";

/** Schemas that the description names. */
export const described = z.registry<{ id: string }>();

/** Gives a schema a name in the description, and an address: `#/components/schemas/{id}`. */
export function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  described.add(schema, { id });
  return schema;
}

/** What a schema describes, as code writes it. */
export type Wire<Schema extends z.ZodType> = Frozen<z.output<Schema>>;

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

export const unixSeconds = z.int().describe("Unix time in seconds");
export const tokenCount = z.int().min(0);

const tokenLogprob = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).describe("Of the token alone; a character may be spread over several tokens"),
});

/** In the form that both APIs of OpenAI's share. */
export const logprobSchema = named("Logprob", tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) }));

export type WireTokenLogprob = Wire<typeof tokenLogprob>;
export type WireLogprob = Wire<typeof logprobSchema>;
