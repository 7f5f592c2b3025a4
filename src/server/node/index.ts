export { readApiKeys } from "./api-keys.ts";
export {
  defaultPort,
  isLoopback,
  type Listening,
  type ListenOptions,
  listen,
  loopbackHost,
} from "./listen.ts";
export { type ServeOptions, serve } from "./serve.ts";
export { defaultStoreFolder, openStore, type SqlStoreOptions } from "./store/index.ts";
