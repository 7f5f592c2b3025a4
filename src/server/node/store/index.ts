export { defaultStoreFolder, openStore } from "./open-store.ts";
export type { SqlStoreOptions } from "./sql-store.ts";
