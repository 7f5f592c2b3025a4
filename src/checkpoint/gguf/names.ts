// gpt-oss's tensor names in GGUF files. llama.cpp's converter writes the first of each list; the others are those of
// Ollama's first files.

/** Parts after `blk.N.`, by the part after `model.layers.N.`; the experts are in `expertNames`. */
const layerNames: Readonly<Record<string, readonly string[]>> = {
  "input_layernorm.weight": ["attn_norm.weight"],
  "self_attn.q_proj.weight": ["attn_q.weight"],
  "self_attn.q_proj.bias": ["attn_q.bias"],
  "self_attn.k_proj.weight": ["attn_k.weight"],
  "self_attn.k_proj.bias": ["attn_k.bias"],
  "self_attn.v_proj.weight": ["attn_v.weight"],
  "self_attn.v_proj.bias": ["attn_v.bias"],
  "self_attn.o_proj.weight": ["attn_output.weight", "attn_out.weight"],
  "self_attn.o_proj.bias": ["attn_output.bias", "attn_out.bias"],
  "self_attn.sinks": ["attn_sinks.weight", "attn_sinks"],
  "post_attention_layernorm.weight": ["post_attention_norm.weight", "ffn_norm.weight"],
  "mlp.router.weight": ["ffn_gate_inp.weight"],
  "mlp.router.bias": ["ffn_gate_inp.bias"],
};

const outerNames: Readonly<Record<string, readonly string[]>> = {
  "model.embed_tokens.weight": ["token_embd.weight"],
  "model.norm.weight": ["output_norm.weight"],
  "lm_head.weight": ["output.weight"],
};

/** Where the experts' matrices and biases are; the suffix is `.weight` or `.bias`. */
export const expertNames = {
  gate: "ffn_gate_exps",
  up: "ffn_up_exps",
  /** Both in one tensor: gate, then up, in llama.cpp's files; alternating rows in Ollama's. */
  gateUp: "ffn_gate_up_exps",
  down: "ffn_down_exps",
} as const;

/** q, k and v in one tensor, one after the other, where a file was made from the original layout. */
export const fusedQkv = "attn_qkv";

/** The names that a dense tensor may have, the usual one first; none for the experts'. */
export function ggufNames(name: string): readonly string[] {
  const { layer, rest } = splitLayer(name);
  if (layer === undefined) return outerNames[name] ?? [];
  return (layerNames[rest] ?? []).map((part) => `blk.${layer}.${part}`);
}

/** `model.layers.3.mlp.router.bias` → layer "3" and `mlp.router.bias`. */
export function splitLayer(name: string): { readonly layer: string | undefined; readonly rest: string } {
  const match = /^model\.layers\.(\d+)\.(.*)$/.exec(name);
  return match ? { layer: match[1], rest: match[2] } : { layer: undefined, rest: name };
}
