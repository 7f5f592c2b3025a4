export { GptOssError, UnsupportedError } from "./base/index.ts";
