#!/usr/bin/env bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
dir=${REDIS_CLUSTER_DIR:-$data/redis-cluster}
first=${REDIS_CLUSTER_PORT:-6391}
for port in "$first" $((first + 1)) $((first + 2)); do stop "redis-$port"; done
