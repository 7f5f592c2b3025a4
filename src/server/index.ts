export type { LogEntry, ModelDefaults, ServedModel } from "./context.ts";
export { createServer, type Server, type ServerOptions } from "./create-server.ts";
export type { ApiKey } from "./keys.ts";
export { defaultLimits, type Limits } from "./limits.ts";
export type { Origins } from "./origins.ts";
export type { RateLimit } from "./rate-limits.ts";
export type { ResponsesOptions } from "./responses/index.ts";
export type { SocketPeer, SocketSession } from "./socket.ts";
export {
  createMemoryStore,
  type MemoryStoreOptions,
  type ResponseStore,
  type StoreLimits,
} from "./store/index.ts";
