# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: where cuDNN lies on this machine, for tools/gpu/run.sh and lease.sh.
#   in:  PYTHON (default python3), CTCONV_CUDNN_PATH if already set
#   out: CTCONV_CUDNN_PATH, the folder of libcudnn.so.9 of the Python's wheel, exported; not set where there is none:
#        the loader then looks. cudnn_paths: the lib folders of all nvidia wheels joined by ':', for LD_LIBRARY_PATH.
cudnn_found=$("${PYTHON:-python3}" - <<'EOF' 2>/dev/null
import glob, os
import nvidia  # a namespace package: __path__ may hold several folders
roots = list(nvidia.__path__)
own = [p for r in roots for p in sorted(glob.glob(os.path.join(r, "cudnn", "lib", "libcudnn.so.9")))]
libs = [p for r in roots for p in sorted(glob.glob(os.path.join(r, "*", "lib"))) if os.path.isdir(p)]
print(os.path.dirname(own[0]) if own else "")
print(":".join(libs))
EOF
)
cudnn_folder=$(printf '%s\n' "$cudnn_found" | sed -n 1p)
# shellcheck disable=SC2034
cudnn_paths=$(printf '%s\n' "$cudnn_found" | sed -n 2p)
if [ -z "${CTCONV_CUDNN_PATH:-}" ] && [ -n "$cudnn_folder" ]; then
  export CTCONV_CUDNN_PATH=$cudnn_folder
fi
