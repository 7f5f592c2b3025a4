// The text of a message's content parts. The model reads text only: of anything else it is told that it was there, or
// the request is refused.

import { HttpError } from "../errors.ts";

/** `placeholder`: the model reads that there was an image or file. `refuse`: 400 `unsupported_content`. */
export type MediaPolicy = "placeholder" | "refuse";

/** Any part of either API; fields of other types are unknown. */
export interface ContentPart {
  readonly type: string;
  readonly text?: string | null | undefined;
  readonly refusal?: string | null | undefined;
}

export interface ContentOptions {
  readonly media: MediaPolicy;
  readonly param: string;
}

/** Parts are joined without a separator, as harmony joins them; what stands for an image or file gets its own line. */
export function contentText(
  content: string | readonly ContentPart[] | null | undefined,
  options: ContentOptions,
): string {
  if (typeof content === "string") return content;
  let joined = "";
  let wasMedia = false;
  for (const [index, part] of (content ?? []).entries()) {
    const text = part.text ?? part.refusal;
    const isMedia = text == null;
    if (joined !== "" && (wasMedia || isMedia)) joined += "\n";
    joined += isMedia ? placeholder(part.type, `${options.param}[${index}]`, options.media) : text;
    wasMedia = isMedia;
  }
  return joined;
}

const kinds: Readonly<Record<string, string>> = {
  input_image: "An image",
  image_url: "An image",
  input_file: "A file",
  file: "A file",
  input_video: "A video",
  input_audio: "A sound recording",
};

function placeholder(type: string, param: string, media: MediaPolicy): string {
  const kind = kinds[type];
  if (kind !== undefined && media === "placeholder")
    return `[${kind} was attached, which cannot be seen here.]`;
  throw new HttpError(400, {
    code: "unsupported_content",
    param,
    message:
      kind === undefined
        ? `Content of type '${type.slice(0, 60)}' is not supported.`
        : `${kind} cannot be read: this model reads text only.`,
  });
}
