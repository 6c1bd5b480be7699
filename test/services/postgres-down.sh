#!/usr/bin/env bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
dir=${POSTGRES_DIR:-$data/postgres}
stop postgres
if [ -f "$dir/cluster-path" ]; then
  rm -rf "$(cat "$dir/cluster-path")"
  rm -f "$dir/cluster-path"
fi
