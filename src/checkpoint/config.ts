// The shape of a gpt-oss model, parsed once from any of the spellings in which it is published.

/** All fields are validated: finite, positive, and consistent with each other. */
export interface ModelConfig {
  readonly layers: number;
  readonly hiddenSize: number;
  /** Width inside one expert (I). */
  readonly intermediateSize: number;
  readonly experts: number;
  readonly expertsPerToken: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabularySize: number;
  readonly contextLength: number;
  /** Positions that a sliding layer sees, own included. */
  readonly slidingWindow: number;
  /** By layer: true slides, false sees everything. Published models alternate, starting with a sliding layer. */
  readonly slides: readonly boolean[];
  readonly rmsNormEpsilon: number;
  readonly swigluLimit: number;
  readonly rope: RopeConfig;
  /** Ids at which sampling stops, from generation_config.json (empty where the layout has none). */
  readonly stopTokens: readonly number[];
}

/** YaRN; published models do not truncate the ramp's bounds. */
export interface RopeConfig {
  readonly theta: number;
  readonly factor: number;
  readonly originalContextLength: number;
  readonly betaFast: number;
  readonly betaSlow: number;
  readonly truncate: boolean;
}
