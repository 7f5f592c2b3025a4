// What a part of an answer carries through the application and back, as `providerMetadata.gptOss` on the way out and
// `providerOptions.gptOss` on the way in.

import type { SharedV3ProviderMetadata, SharedV3ProviderOptions } from "@ai-sdk/provider";

/** Under this name in `providerOptions` and `providerMetadata`. */
export const providerKey = "gptOss";

export interface PartMetadata {
  /** Under which the message is remembered. */
  readonly id?: string;
  /** Said to the user before the answer, such as a plan before calls; absent for answers. */
  readonly phase?: "commentary";
}

export function metadataOf(
  part: Required<Pick<PartMetadata, "id">> & PartMetadata,
): SharedV3ProviderMetadata {
  const { id, phase } = part;
  return { [providerKey]: { id, ...(phase !== undefined && { phase }) } };
}

/** Whatever an application made of it on the way: only strings that were meant to be there are taken. */
export function readMetadata(options: SharedV3ProviderOptions | undefined): PartMetadata {
  const { id, phase } = options?.[providerKey] ?? {};
  return {
    ...(typeof id === "string" && { id }),
    ...(phase === "commentary" && { phase }),
  };
}
