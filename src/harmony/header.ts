// The words between `<|start|>` and `<|message|>`. On headers that the official library accepts the reading
// is the same, but for deviations that keep an answer from being lost (docs/decisions.md); every other header
// gets the most plausible reading and notes. Works on text, as the official parser does: a model that spells
// a marker in ordinary letters is understood.

import { type Channel, channels, type Role } from "./conversation.ts";
import type { Note } from "./events.ts";
import { type RecipientResolver, recipientPrefix } from "./recipients.ts";

export interface Header {
  role: Role;
  name?: string;
  channel?: string;
  recipient?: string;
  contentType?: string;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A note before it is known where in the tokens it belongs. */
export type NoteBody = DistributiveOmit<Note, "at">;

export interface HeaderContext {
  /** The prompt already said whose message this is. */
  readonly impliedRole: Role | undefined;
  /** There was no `<|start|>`: rather stray text than a tool's name. */
  readonly isStray: boolean;
  /**
   * Present if the tools are known: then a word without `to=` is a recipient only if it names one of them.
   */
  readonly resolve: RecipientResolver | undefined;
  readonly note: (note: NoteBody) => void;
}

// Rust's char::is_whitespace (JavaScript's \s differs by two characters) and split_ascii_whitespace.
const space = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const channelMarker = new RegExp(`<\\|channel\\|>([^${space}<]*)`, "g");
const outerSpace = new RegExp(`^[${space}]+|[${space}]+$`, "g");
const wordSpace = /[\t\n\f\r ]+/;
const constrain = "<|constrain|>";
const plainContentTypes: readonly string[] = ["json", "code", "text"];
const roles: readonly Role[] = ["system", "developer", "user", "assistant", "tool"];

/** Reads a complete header. */
export function readHeader(text: string, context: HeaderContext): Header {
  const { channel, rest } = takeChannel(text, context);
  const words = joinMarkers(rest.replaceAll(constrain, ` ${constrain}`), context)
    .replace(outerSpace, "")
    .split(wordSpace)
    .filter((word) => word !== "");
  const header = takeAuthor(words, context);
  if (channel !== undefined) setChannel(header, channel, context);
  readWords(words, header, context);
  return header;
}

/** A marker and the word it belongs to may be apart: `<|constrain|> json`, `to= f`. */
function joinMarkers(text: string, { note }: HeaderContext): string {
  return text.replace(
    /(<\|constrain\|>|(?:^|[\t\n\f\r ])to=)([\t\n\f\r ]+)(?!to=|<\|)(?=[^\t\n\f\r ])/g,
    (_, marker: string, gap: string) => {
      note({ kind: "header-junk", text: gap });
      return marker;
    },
  );
}

/**
 * Reads a header that never came to `<|message|>`: what cannot be header is `text`, in its own spelling, so
 * that an answer written without any markup, or a call that forgot one marker, is not lost.
 */
export function readUnfinishedHeader(
  header: string,
  context: HeaderContext,
): { header: Header; text: string } {
  const { channel, rest } = takeChannel(header, context, { keepText: true });
  let text = rest.trimStart();
  const author: Header = { role: context.impliedRole ?? "assistant" };
  const [word] = text.split(wordSpace, 1);
  const named = readAuthor(word, context);
  if (named !== undefined && (named.role !== "tool" || /^\S+\s+to=/.test(text))) {
    Object.assign(author, named);
    text = text.slice(word.length);
  } else if (context.impliedRole === undefined) {
    // Possibly the first half of `assistant`, when the tokens end here.
    if (word !== "" && word === text && roles.some((role) => role.startsWith(word))) text = "";
    context.note({ kind: "missing-role" });
  }
  if (channel !== undefined) setChannel(author, channel, context);
  for (;;) {
    text = text.trimStart();
    const recipient = /^to=\s*/.exec(text);
    const contentType = /^<\|constrain\|>\s*[\w-]*/.exec(text);
    if (recipient !== null) {
      const name = recipientPrefix(text.slice(recipient[0].length));
      text = text.slice(recipient[0].length + name.length);
      if (name !== "" && author.recipient === undefined) setRecipient(author, name, context);
    } else if (contentType !== null) {
      text = text.slice(contentType[0].length);
      author.contentType ??= contentType[0].replace(/\s/g, "");
    } else break;
  }
  // The first half of `to=`, when the tokens end here.
  return { header: author, text: text === "to" ? "" : text };
}

/**
 * Cuts out every channel marker with its value; the first value counts. With `keepText`, what is glued to a
 * channel's name or stands in its place is kept: `analysisWe need to`.
 */
function takeChannel(
  text: string,
  { note }: HeaderContext,
  { keepText = false } = {},
): { channel: string | undefined; rest: string } {
  let channel: string | undefined;
  const rest = text.replace(channelMarker, (_, value: string) => {
    const [, known, glued = ""] = /^(analysis|commentary|final)(.+)$/.exec(value) ?? [];
    const isRecipient = glued.startsWith("to=");
    const name = known !== undefined && (isRecipient || keepText) ? known : value;
    const isText = keepText && nearestChannel(name) === undefined;
    if (name === "" || isText) note({ kind: "missing-channel" });
    else if (channel !== undefined) note({ kind: "repeated-channel", channel: name });
    else channel = name;
    if (isText) return ` ${value}`;
    if (name !== value) note({ kind: "unknown-channel", channel: value, readAs: known as Channel });
    if (isRecipient) return ` ${glued}`;
    return keepText ? ` ${glued.replace(/^[\p{P}\p{S}]*(assistant)?/u, "")}` : " ";
  });
  return { channel, rest };
}

/** Only an assistant's channels are interpreted; on other messages they are whatever the prompt says. */
function setChannel(header: Header, channel: string, { note }: HeaderContext): void {
  header.channel = channel;
  if (header.role !== "assistant" || isChannel(channel)) return;
  // Commentary is shown to the user: a whole answer on a channel of its own making is better seen than lost.
  const readAs = nearestChannel(channel) ?? "commentary";
  header.channel = readAs;
  note({ kind: "unknown-channel", channel, readAs });
}

function isChannel(name: string): name is Channel {
  return channels.some((channel) => channel === name);
}

function nearestChannel(name: string): Channel | undefined {
  const lower = name.toLowerCase();
  return channels.find(
    (channel) => lower.startsWith(channel) || (lower.length >= 3 && channel.startsWith(lower)),
  );
}

/** Removes the author from the front of `words`. */
function takeAuthor(words: string[], context: HeaderContext): Header {
  if (context.impliedRole !== undefined) {
    if (words[0] === context.impliedRole) words.shift();
    return { role: context.impliedRole };
  }
  const named = words.length === 0 ? undefined : readAuthor(words[0], context);
  const isStrayWord = context.isStray && named?.role === "tool" && !words[1]?.startsWith("to=");
  if (named === undefined || isStrayWord) {
    context.note({ kind: "missing-role" });
    return { role: "assistant" };
  }
  words.shift();
  return named;
}

/**
 * `user`, `user:bob`, `assistantfinal`, `functions.get_weather`; undefined if the word cannot be an author.
 */
function readAuthor(word: string, { impliedRole, note }: HeaderContext): Header | undefined {
  if (impliedRole !== undefined) return word === impliedRole ? { role: impliedRole } : undefined;
  const role = roles.find((candidate) => candidate === word);
  if (role !== undefined) return { role };
  const [, named, name] = /^(system|developer|user|assistant):(.+)$/.exec(word) ?? [];
  if (named !== undefined) return { role: named as Role, name };
  const [, channel] = /^(?:assistant)*(analysis|commentary|final)$/.exec(word) ?? [];
  if (channel !== undefined) {
    note({ kind: "missing-channel" });
    return { role: "assistant", channel };
  }
  if (word.startsWith("assistant")) {
    note({ kind: "header-junk", text: word.slice("assistant".length) });
    return { role: "assistant" };
  }
  if (word === "" || word.startsWith("to=") || word.includes("<|")) return undefined;
  return { role: "tool", name: word };
}

/**
 * What remains after author and channel: `[to=recipient] [content type]`, and whatever a model adds to that.
 */
function readWords(words: readonly string[], header: Header, context: HeaderContext): void {
  const [first, second] = words;
  if (words.length === 0) return;
  if (words.length === 1) {
    if (first.startsWith("to=")) setRecipient(header, first.slice(3), context);
    else if (first.startsWith(constrain)) setContentType(header, first, context);
    else readLoneWord(first, header, context);
  } else if (words.length === 2 && first.startsWith("to=") && !second.startsWith("to=")) {
    setRecipient(header, first.slice(3), context);
    setContentType(header, second, context);
  } else if (words.length === 2 && !second.startsWith("to=") && isBareRecipient(first, header, context)) {
    setRecipient(header, first, context);
    setContentType(header, second, context);
  } else readTangledWords(words, header, context);
}

function readLoneWord(word: string, header: Header, context: HeaderContext): void {
  if (header.channel === undefined && header.role === "assistant" && isChannel(word)) {
    context.note({ kind: "missing-channel" });
    header.channel = word;
  } else if (isBareRecipient(word, header, context)) setRecipient(header, word, context);
  else if (plainContentTypes.includes(word)) header.contentType = word;
  else context.note({ kind: "header-junk", text: word });
}

/**
 * The official parser takes any word without `to=` for a recipient; a message lost to the tool `answer` helps
 * nobody.
 */
function isBareRecipient(word: string, header: Header, { resolve, isStray }: HeaderContext): boolean {
  if (isStray) return false;
  if (resolve !== undefined && header.role === "assistant") return resolve(word) !== undefined;
  return word !== "" && recipientPrefix(word) === word;
}

function readTangledWords(words: readonly string[], header: Header, context: HeaderContext): void {
  const recipientAt = words.findIndex((word) => word.startsWith("to="));
  let contentAt = words.findIndex((word) => word.startsWith(constrain));
  if (contentAt < 0) contentAt = words.findIndex((word) => plainContentTypes.includes(word));
  if (recipientAt >= 0) setRecipient(header, words[recipientAt].slice(3), context);
  if (contentAt >= 0) setContentType(header, words[contentAt], context);
  const junk = words.filter((_, index) => index !== recipientAt && index !== contentAt);
  if (junk.length > 0) context.note({ kind: "header-junk", text: junk.join(" ") });
}

/** Any other marker than a leading `<|constrain|>` leaked into it. */
function setContentType(header: Header, word: string, { note }: HeaderContext): void {
  const [contentType] = /^(?:<\|constrain\|>)?(?:(?!<\|).)*/su.exec(word)!;
  if (contentType !== word) note({ kind: "header-junk", text: word.slice(contentType.length) });
  if (contentType !== "") header.contentType = contentType;
}

const everybody: readonly string[] = ["all", "user", "assistant"];

function setRecipient(header: Header, raw: string, { resolve, note }: HeaderContext): void {
  const asWritten = resolve?.(raw);
  const recipient = asWritten === undefined ? recipientPrefix(raw) : raw;
  if (recipient === "") note({ kind: "header-junk", text: `to=${raw}` });
  else if (recipient !== raw) note({ kind: "header-junk", text: raw.slice(recipient.length) });
  if (recipient === "") return;
  header.recipient = recipient;
  if (header.role !== "assistant" || resolve === undefined || everybody.includes(recipient)) return;
  const meant = asWritten ?? resolve(recipient);
  header.recipient = meant ?? recipient;
  if (meant === undefined) note({ kind: "unknown-recipient", recipient });
  else if (meant !== recipient) note({ kind: "renamed-recipient", recipient, readAs: meant });
}
