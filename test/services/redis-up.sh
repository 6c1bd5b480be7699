#!/usr/bin/env bash
# One Redis that keeps what it acknowledged (append-only file) and never evicts. Safe to run again.
#   REDIS_PORT       (6390)
#   REDIS_DIR        ($MILLRACE_DATA/redis)
#   REDIS_MAXMEMORY  (1gb)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$here/redis-bin.sh"
port=${REDIS_PORT:-6390}
dir=${REDIS_DIR:-$data/redis}
mkdir -p "$dir"
alive redis || start redis "$port" "$server" --bind 127.0.0.1 --port "$port" --dir "$dir" \
  --appendonly yes --appendfsync everysec --save '' \
  --maxmemory "${REDIS_MAXMEMORY:-1gb}" --maxmemory-policy noeviction
wait_for 20 redis ask "$port" PING '[+]PONG'
echo "address=redis://127.0.0.1:$port"
echo "pid_file=$dir/redis.pid"
