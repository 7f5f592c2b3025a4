// gpt-oss's tensor names and keys in GGUF files, as llama.cpp writes them.

/** Part after `blk.N.` by the part after `model.layers.N.`; experts' gate_up is stored as two tensors. */
const layerNames: Readonly<Record<string, string>> = {
  "input_layernorm.weight": "attn_norm.weight",
  "self_attn.q_proj.weight": "attn_q.weight",
  "self_attn.q_proj.bias": "attn_q.bias",
  "self_attn.k_proj.weight": "attn_k.weight",
  "self_attn.k_proj.bias": "attn_k.bias",
  "self_attn.v_proj.weight": "attn_v.weight",
  "self_attn.v_proj.bias": "attn_v.bias",
  "self_attn.o_proj.weight": "attn_output.weight",
  "self_attn.o_proj.bias": "attn_output.bias",
  "self_attn.sinks": "attn_sinks.weight",
  "post_attention_layernorm.weight": "post_attention_norm.weight",
  "mlp.router.weight": "ffn_gate_inp.weight",
  "mlp.router.bias": "ffn_gate_inp.bias",
  "mlp.experts.down_proj": "ffn_down_exps.weight",
  "mlp.experts.down_proj_bias": "ffn_down_exps.bias",
};

const outerNames: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.norm.weight": "output_norm.weight",
  "lm_head.weight": "output.weight",
};

/** The GGUF name of a tensor that is stored one for one; undefined for the experts' gate_up, which is split. */
export function ggufName(name: string): string | undefined {
  const layer = /^model\.layers\.(\d+)\.(.*)$/.exec(name);
  if (!layer) return outerNames[name];
  const rest = layerNames[layer[2]];
  return rest === undefined ? undefined : `blk.${layer[1]}.${rest}`;
}
