#!/usr/bin/env bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
dir=${REDIS_DIR:-$data/redis}
stop redis
