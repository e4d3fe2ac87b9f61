#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Go binding: form, vet, its tests, plain and under the race detector with cgo's own checks.
#   usage: test_go.sh SOURCE_DIR     needs PKG_CONFIG_PATH; 77: there is no go
set -eu
command -v go > /dev/null || { echo "skipped: there is no go on this machine"; exit 77; }
cd "$1/bindings/go"
CGO_LDFLAGS="-Wl,-rpath,$(pkg-config --variable=libdir ctconv)"
export CGO_LDFLAGS
step() { echo "go: $*"; }

step "gofmt"
unformed=$(gofmt -l . ../../examples/languages/go)
[ -z "$unformed" ] || { echo "not in gofmt's form: $unformed"; exit 1; }
step "go vet"
go vet ./...
step "go test"
go test -count=1 ./...
step "go test -race, with cgo's checks of every pointer"
minor=$(go env GOVERSION | sed 's/^go1\.\([0-9]*\).*/\1/')
if [ "$minor" -ge 21 ]; then export GOEXPERIMENT=cgocheck2; else export GODEBUG=cgocheck=2; fi
go test -race -count=1 ./...
step "all right"
