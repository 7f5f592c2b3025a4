import { GptOssError } from "../../../base/index.ts";

export const unavailable = (message: string, cause?: unknown): GptOssError =>
  new GptOssError("server/store-unavailable", {
    message,
    hint: "check that the store's place exists, can be written to and can be reached",
    cause,
  });

export const full = (message: string, cause?: unknown): GptOssError =>
  new GptOssError("server/store-full", {
    message,
    hint: "free some space, or lower the store's limits",
    cause,
  });

export const damaged = (message: string, cause?: unknown): GptOssError =>
  new GptOssError("server/store-damaged", {
    message,
    hint: "move the file away and start again: what it held is lost",
    cause,
  });

export const badStore = (message: string, hint: string): GptOssError =>
  new GptOssError("server/bad-store", { message, hint });
