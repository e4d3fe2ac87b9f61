# SPDX-License-Identifier: Apache-2.0
"""The library as a Conan 2 package, without the engine onednn. Run with the Highway of tools/deps, which the profile
names under [platform_requires] as highway/1.2.0. NOT TESTED with the packages of Conan Center: they could not be had.

Usage: conan create packaging/conan        on a clone: the sources are those two folders up
"""

import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class Ctconv(ConanFile):
    name = "ctconv"
    version = "0.2.0"
    license = "Apache-2.0"
    description = "Transposed convolution in 1, 2 and 3 dimensions behind a stable C ABI"
    topics = ("transposed-convolution", "deconvolution", "neural-networks")
    package_type = "shared-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"tools": [True, False]}
    default_options = {"tools": False}

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("src/*", "capi/*", "include/*", "cmake/*", "cuda/*", "tools/*", "CMakeLists.txt"):
            copy(self, pattern, root, self.export_sources_folder)
        for pattern in ("LICENSE", "NOTICE"):
            copy(self, pattern, root, self.export_sources_folder)

    def requirements(self):
        self.requires("highway/[>=1.2.0 <2]")
        if self.options.tools:
            self.requires("cli11/[>=2.1 <3]")
            self.requires("fmt/[>=8]")
            self.requires("nlohmann_json/[>=3.10 <4]")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        deps = CMakeDeps(self)
        deps.set_property("highway", "cmake_file_name", "hwy")
        deps.set_property("highway::hwy", "cmake_target_name", "hwy::hwy")
        deps.generate()
        toolchain = CMakeToolchain(self)
        for name in ("TESTS", "BENCH"):
            toolchain.cache_variables[f"CTCONV_BUILD_{name}"] = False
        toolchain.cache_variables["CTCONV_BUILD_TOOLS"] = bool(self.options.tools)
        toolchain.cache_variables["CTCONV_ORT"] = toolchain.cache_variables["CTCONV_XLA"] = False
        toolchain.cache_variables["CTCONV_CUDA"] = "OFF"
        toolchain.cache_variables["CTCONV_ONEDNN"] = "OFF"
        toolchain.cache_variables["CTCONV_WERROR"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        for pattern in ("LICENSE", "NOTICE"):
            copy(self, pattern, self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.libs = ["ctconv"]
        self.cpp_info.set_property("cmake_file_name", "ctconv")
        self.cpp_info.set_property("cmake_target_name", "ctconv::ctconv")
        self.cpp_info.set_property("pkg_config_name", "ctconv")
