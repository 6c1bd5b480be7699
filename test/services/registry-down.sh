#!/usr/bin/env bash
# Stops the registry of registry-up.sh.   REGISTRY_PORT, REGISTRY_DIR as there
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
dir=${REGISTRY_DIR:-$data/registry-${REGISTRY_PORT:-18081}}
stop registry
