import { createMemoryStore } from "./memory-store.ts";
import { storeCases } from "./testing/store-cases.ts";

storeCases({ name: "memory", fresh: async (options) => createMemoryStore(options), runs: 1 });
