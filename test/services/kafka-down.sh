#!/usr/bin/env bash
# Stops the Kafka nodes of kafka-up.sh.   KAFKA_PORT, KAFKA_DIR as there
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
dir=${KAFKA_DIR:-$data/kafka-${KAFKA_PORT:-19092}}
for file in "$dir"/node-*.pid; do
  [ -f "$file" ] || continue
  node=$(basename "$file" .pid)
  { read -r pid <"$file"; } 2>/dev/null && alive "$node" && kill -CONT "$pid" || true # a frozen one would not hear
  stop "$node"
done
