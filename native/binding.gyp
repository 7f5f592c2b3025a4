# One static library per instruction set, each compiled with its own flags, and the addon that chooses between them.
# -ffp-contract=fast lets a kernel use fused multiply-add where its instruction set has it.
{
  "variables": {
    "avx2_cflags": ["-mavx2", "-mfma", "-mf16c"],
    "neon_cflags": ["-march=armv8.2-a+dotprod"],
    "kernel_cflags": ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Wno-psabi",
                      "-Wno-uninitialized", "-Wno-maybe-uninitialized"],
    "avx512vnni_cflags": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mfma", "-mf16c",
                          "-mprefer-vector-width=512", "-mtune=icelake-server"],
    "amx_cflags": ["-mavx512vbmi", "-mavx512bf16"]
  },
  "target_defaults": {
    "cflags_cc": ["-std=c++17"],
    "xcode_settings": {"CLANG_CXX_LANGUAGE_STANDARD": "c++17", "MACOSX_DEPLOYMENT_TARGET": "11.0"}
  },
  "targets": [
    {
      "target_name": "gptoss",
      "sources": [
        "addon/addon.cc",
        "addon/native_backend.cc",
        "addon/old_glibc.cc",
        "runtime/available_memory.cc",
        "runtime/cpu.cc",
        "runtime/engine.cc",
        "runtime/engine_commands.cc",
        "runtime/executor.cc",
        "runtime/mapped_file.cc",
        "runtime/memory.cc",
        "runtime/objects.cc",
        "runtime/pool.cc",
        "runtime/profile.cc",
        "runtime/read_ahead.cc",
        "runtime/variants.cc",
        "ops/attention.cc",
        "ops/expert_rows.cc",
        "ops/kv_store.cc",
        "ops/linear.cc",
        "ops/moe.cc",
        "ops/moe_matrices.cc",
        "ops/moe_vectors.cc",
        "ops/rows.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "cflags": ["-O2", "-Wall", "-Wextra"],
      "cflags_cc!": ["-fno-exceptions"],
      "xcode_settings": {"GCC_ENABLE_CPP_EXCEPTIONS": "YES"},
      "defines": ["NAPI_CPP_EXCEPTIONS"],
      "dependencies": ["kernels_portable"],
      "conditions": [
        ["target_arch=='x64'", {"dependencies": ["kernels_amx", "kernels_avx512bf16", "kernels_avx512vbmi", "kernels_avx512vnni", "kernels_avx2", "kernels_avx2vnni"]}],
        ["target_arch=='arm64'", {"dependencies": ["kernels_neon"]}],
        ["OS=='linux'", {
          "cflags": ["-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"],
          "ldflags": ["-static-libstdc++", "-Wl,--gc-sections",
                      "-Wl,--version-script=<(module_root_dir)/addon/exports.map"]
        }]
      ]
    },
    {
      "target_name": "kernels_portable",
      "type": "static_library",
      "sources": ["kernels/portable/dense8_matvec.cc", "kernels/portable/mxfp4_matvec.cc", "kernels/portable/table.cc"],
      "cflags": ["<@(kernel_cflags)"],
      "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)"]}
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "kernels_avx2",
          "type": "static_library",
          "sources": ["kernels/avx2/table.cc"],
          "cflags": ["<@(kernel_cflags)", "<@(avx2_cflags)"],
          "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)", "<@(avx2_cflags)"]}
        },
        {
          "target_name": "kernels_avx2vnni",
          "type": "static_library",
          "sources": ["kernels/avx2vnni/table.cc"],
          "cflags": ["<@(kernel_cflags)", "<@(avx2_cflags)", "-mavxvnni"],
          "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)", "<@(avx2_cflags)", "-mavxvnni"]}
        },
        {
          "target_name": "kernels_amx",
          "type": "static_library",
          "sources": ["kernels/amx/bf16_gemm.cc", "kernels/amx/dense8_gemm.cc", "kernels/amx/mxfp4_gemm.cc",
                      "kernels/amx/table.cc"],
          "cflags": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)", "<@(amx_cflags)"],
          "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)", "<@(amx_cflags)"]}
        },
        {
          "target_name": "kernels_avx512vnni",
          "type": "static_library",
          "sources": ["kernels/avx512vnni/dense8_gemm.cc", "kernels/avx512vnni/dense8_matvec.cc",
                      "kernels/avx512vnni/mxfp4_gemm.cc", "kernels/avx512vnni/table.cc"],
          "cflags": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)"],
          "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)"]}
        },
        {
          "target_name": "kernels_avx512bf16",
          "type": "static_library",
          "sources": ["kernels/avx512bf16/table.cc"],
          "cflags": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)", "<@(amx_cflags)"],
          "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)", "<@(amx_cflags)"]}
        },
        {
          "target_name": "kernels_avx512vbmi",
          "type": "static_library",
          "sources": ["kernels/avx512vbmi/table.cc"],
          "cflags": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)", "-mavx512vbmi"],
          "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)", "<@(avx512vnni_cflags)", "-mavx512vbmi"]}
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "kernels_neon",
          "type": "static_library",
          "sources": ["kernels/neon/dense8_gemm.cc", "kernels/neon/dense8_matvec.cc", "kernels/neon/mxfp4_gemm.cc",
                      "kernels/neon/mxfp4_matvec.cc", "kernels/neon/table.cc"],
          "cflags": ["<@(kernel_cflags)", "<@(neon_cflags)"],
          "xcode_settings": {"OTHER_CFLAGS": ["<@(kernel_cflags)", "<@(neon_cflags)"]}
        }
      ]
    }]
  ]
}
