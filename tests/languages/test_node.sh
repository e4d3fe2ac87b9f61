#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Node binding: built by its own script, then its tests.
#   usage: test_node.sh SOURCE_DIR     needs PKG_CONFIG_PATH; 77: no node, no node_api.h, or a node without --test
set -eu
command -v node > /dev/null || { echo "skipped: there is no node on this machine"; exit 77; }
node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' ||
  { echo "skipped: node $(node --version) is below 18"; exit 77; }
sh "$1/bindings/node/build.sh" "$CTCONV_WORK/node_tests"
CTCONV_NODE_ADDON="$CTCONV_WORK/node_tests/ctconv.node" node --test "$1"/bindings/node/test/*.test.js
