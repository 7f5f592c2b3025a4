export { createNativeBackend, type NativeOptions } from "./native.ts";
