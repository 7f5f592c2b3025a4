export { createMemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
export type {
  ResponseStore,
  StoredEvent,
  StoredItem,
  StoredResponse,
  StoredStatus,
  StoreLimits,
  StoreListener,
} from "./store.ts";
