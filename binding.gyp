{
  "targets": [{
    "target_name": "zerohop",
    # One list of core sources, read here and by CMakeLists.txt; the binding's own files are beside it.
    "sources": ["<!@(node native/unity.cjs core)", "<!@(node native/unity.cjs binding)"],
    "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
    "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++20", "-O3", "-fexceptions", "-Wall", "-Wextra", "-Wno-cast-function-type", "-fvisibility=hidden"],
    "conditions": [
      # Baseline: every x86-64 server since 2009.  -z nodelete: buffers shown to one thread may outlive the worker that
      # loaded the addon, and their deleter is in here.  The C++ library is linked in, as far as it is used, and hidden:
      # systems have older ones.
      ["target_arch=='x64'", { "cflags_cc": ["-march=x86-64-v2"] }],
      ["OS=='linux'", { "ldflags": ["-Wl,-z,nodelete", "-static-libstdc++", "-Wl,--exclude-libs,ALL", "-Wl,--gc-sections", "-Wl,--version-script=<(module_root_dir)/native/binding/exports.map"] }],
      ["OS=='mac'", { "xcode_settings": {
        "CLANG_CXX_LANGUAGE_STANDARD": "c++20", "GCC_ENABLE_CPP_EXCEPTIONS": "YES", "MACOSX_DEPLOYMENT_TARGET": "11.0"
      } }]
    ]
  }],
  "conditions": [
    # The benchmarks' addon: in a checkout only, not in the package.
    ["\"<!(node -p \"require('fs').existsSync('bench/native/floor.cc')\")\"=='true'", {
      "targets": [{
        "target_name": "zerohop_floor",
        "sources": ["bench/native/floor.cc"],
        "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
        "cflags_cc": ["-std=c++20", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
        "conditions": [
          ["target_arch=='x64'", { "cflags_cc": ["-march=x86-64-v2"] }],
          ["OS=='mac'", { "xcode_settings": { "CLANG_CXX_LANGUAGE_STANDARD": "c++20" } }]
        ]
      }, {
        # What every suite tells of the machine it ran on.
        "target_name": "zerohop_machine",
        "sources": ["bench/native/machine.cc"],
        "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
        "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
        "conditions": [["OS=='mac'", { "xcode_settings": { "CLANG_CXX_LANGUAGE_STANDARD": "c++20" } }]]
      }, {
        # Asks servers for values: see there.
        "target_name": "zerohop_load",
        "type": "executable",
        "sources": ["bench/native/load/load.cc"],
        "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
        "cflags_cc": ["-std=c++20", "-O2", "-Wall", "-Wextra"]
      }, {
        # Whole caches, played with ids: the core once more, for what it does without Node.
        "target_name": "zerohop_simulator",
        "sources": ["bench/native/simulator/simulator.cc", "<!@(node native/unity.cjs core)"],
        "include_dirs": ["native", "bench/native/simulator"],
        "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-std=gnu++20"],
        "cflags_cc": ["-std=c++20", "-O2", "-fexceptions", "-Wall", "-Wextra", "-fvisibility=hidden"],
        "conditions": [
          ["target_arch=='x64'", { "cflags_cc": ["-march=x86-64-v2"] }],
          ["OS=='mac'", { "xcode_settings": { "CLANG_CXX_LANGUAGE_STANDARD": "c++20", "GCC_ENABLE_CPP_EXCEPTIONS": "YES" } }]
        ]
      }]
    }]
  ]
}
