export { loadAddon, type NativeVariant } from "./addon.ts";
export { createNativeBackend, type NativeOptions } from "./native.ts";
