export type {
  ResponseStore,
  StoredEvent,
  StoredItem,
  StoredResponse,
  StoredStatus,
  StoreLimits,
  StoreListener,
} from "./store.ts";
