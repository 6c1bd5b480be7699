#!/usr/bin/env bash
# A Redis Cluster of three masters without replicas; all slots are covered. Safe to run again.
#   REDIS_CLUSTER_PORT  (6391: this one and the next two; their buses are 10000 above)
#   REDIS_CLUSTER_DIR   ($MILLRACE_DATA/redis-cluster)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$here/redis-bin.sh"
first=${REDIS_CLUSTER_PORT:-6391}
dir=${REDIS_CLUSTER_DIR:-$data/redis-cluster}
ports=("$first" $((first + 1)) $((first + 2)))
slots=('0 5460' '5461 10922' '10923 16383')

for port in "${ports[@]}"; do
  mkdir -p "$dir/$port"
  alive "redis-$port" || start "redis-$port" "$port" "$server" --bind 127.0.0.1 --port "$port" --dir "$dir/$port" \
    --cluster-enabled yes --cluster-node-timeout 2000 \
    --appendonly yes --save '' --maxmemory-policy noeviction
done

for at in 0 1 2; do
  port=${ports[at]}
  wait_for 20 "redis-$port" ask "$port" PING '[+]PONG'
  if ask "$port" 'CLUSTER INFO' 'cluster_slots_assigned:0'; then
    ask "$port" "CLUSTER ADDSLOTSRANGE ${slots[at]}" '[+]OK'
    ask "$port" "CLUSTER SET-CONFIG-EPOCH $((at + 1))" '[+]OK' || true
  fi
  if [ "$at" != 0 ]; then ask "$port" "CLUSTER MEET 127.0.0.1 $first" '[+]OK'; fi
done

for port in "${ports[@]}"; do
  wait_for 30 "redis-$port" ask "$port" 'CLUSTER INFO' 'cluster_known_nodes:3'
  wait_for 30 "redis-$port" ask "$port" 'CLUSTER INFO' 'cluster_state:ok'
done
for port in "${ports[@]}"; do echo "pid_file=$dir/redis-$port.pid"; done
echo "address=127.0.0.1:${ports[0]},127.0.0.1:${ports[1]},127.0.0.1:${ports[2]}"
