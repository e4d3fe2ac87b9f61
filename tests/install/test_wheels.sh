#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the wheels of ctconv and ctconv-cuda, installs both into a fresh environment, and asks for the device.
#   usage: test_wheels.sh SOURCE_DIR [CMake definition, e.g. CTCONV_CUDA_ARCHITECTURES=90]...
#   PYTHON: has pip, venv, numpy, scikit-build-core; WHEELS=folder: two wheels that are built already
#   exit 0 where the module is found beside the library and says what this machine lacks;
#   77 where the wheels cannot be built here
set -eu
source=$1
shift
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "wheels: $*"; exit 1; }

"$python" -c 'import numpy, pip, venv' 2>/dev/null || { echo "wheels: NOT RUN: no numpy, pip or venv"; exit 77; }
wheels=${WHEELS:-$work/wheels}
if [ -z "${WHEELS:-}" ]; then
  "$python" -c 'import scikit_build_core' 2>/dev/null || { echo "wheels: NOT RUN: no scikit-build-core"; exit 77; }
  defined=
  for one in "$@"; do defined="$defined -C cmake.define.$one"; done
  # shellcheck disable=SC2086
  "$python" -m pip wheel -q --no-deps --no-build-isolation -w "$wheels" $defined \
    "$source" "$source/bindings/python-cuda"
fi
set -- "$wheels"/ctconv-*.whl "$wheels"/ctconv_cuda-*.whl
{ [ $# -eq 2 ] && [ -f "$1" ] && [ -f "$2" ]; } || fail "two wheels are wanted: $*"

echo "wheels: what they hold"
"$python" - "$1" "$2" <<'END'
import sys, zipfile
cpu, cuda = (zipfile.ZipFile(path) for path in sys.argv[1:])
module = "ctconv/libctconv_cuda.so"
assert "ctconv/libctconv.so" in cpu.namelist() and module not in cpu.namelist(), "the CPU wheel"
own = [name for name in cuda.namelist() if ".dist-info/" not in name and not name.endswith("/")]
assert own == [module], own
assert not set(own) & set(cpu.namelist()), "one file in both"
metadata = lambda wheel: wheel.read(next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))).decode()
version = next(line for line in metadata(cpu).splitlines() if line.startswith("Version: "))
assert version in metadata(cuda)
wanted = [line[15:].replace(" ", "") for line in metadata(cuda).splitlines() if line.startswith("Requires-Dist: ")]
assert f"ctconv=={version[9:]}" in wanted and any(w.startswith("nvidia-cudnn-cu13") for w in wanted), wanted
extra = [line for line in metadata(cpu).splitlines() if "cuda13" in line]
assert any("Provides-Extra" in line for line in extra), extra
assert any(f"ctconv-cuda=={version[9:]}" in line for line in extra), extra
END

echo "wheels: in a fresh environment"
"$python" -m venv "$work/venv"
# numpy is borrowed; what the environment holds itself comes first
"$python" -c 'import numpy, pathlib; print(pathlib.Path(numpy.__file__).parents[1])' \
  > "$(find "$work/venv/lib" -name site-packages)/numpy.pth"
"$work/venv/bin/python" -m pip install -q --no-deps --no-index --ignore-installed "$1" "$2"
cd "$work"
unset CTCONV_CUDA_MODULE CTCONV_LIBRARY PYTHONPATH LD_LIBRARY_PATH || true
"$work/venv/bin/python" - "$work/venv" <<'END'
import sys
import ctconv
assert ctconv.__file__.startswith(sys.argv[1]), ctconv.__file__
args = {"in_channels": 2, "out_channels": 3, "kernel_size": 2, "stride": 2}
weight = ctconv.init_weight("torch.nn.ConvTranspose2d", args, seed=0)
import numpy
assert ctconv.Layer("torch.nn.ConvTranspose2d", args, weight)(numpy.ones((1, 2, 4, 4), "float32")).shape == (1, 3, 8, 8)
try:
    ctconv.Layer("torch.nn.ConvTranspose2d", args, weight, device="cuda")
    print("wheels: a device is here")
except ctconv.Error as error:
    print("wheels:", error.name, "-", error)
    assert error.name.startswith("CTCONV_ERR_DEVICE_") and "MODULE" not in error.name, error.name
END
"$work/venv/bin/python" -m pip uninstall -q -y ctconv-cuda
[ -f "$(find "$work/venv" -name libctconv.so)" ] || fail "uninstalling the module took the library away"
[ -z "$(find "$work/venv" -name libctconv_cuda.so)" ] || fail "the module stays after it was uninstalled"
echo "wheels: all right"
