export { assert } from "./assert.ts";
export { GptOssError, type GptOssErrorOptions, UnsupportedError } from "./error.ts";
export type { ErrorCode } from "./error-codes.ts";
export { errorFromWire, errorToWire, type WireError } from "./error-wire.ts";
export { type Random, random } from "./random.ts";
export {
  bf16ToF32,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  mxfp4BlockBytes,
  mxfp4BlockValues,
  mxfp4Scale,
  mxfp4Values,
} from "./scalar.ts";
export {
  bytesPerElement,
  type DType,
  elementCount,
  type FilePlace,
  type StoredBlocks,
  type TensorView,
} from "./tensor-view.ts";
