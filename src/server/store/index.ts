export { createMemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
export type {
  OwnResponses,
  ResponseStore,
  StoredEvent,
  StoredItem,
  StoredResponse,
  StoredStatus,
  StoreLimits,
  StoreListener,
} from "./store.ts";
