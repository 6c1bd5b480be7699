#!/usr/bin/env bash
# Apache Kafka (KRaft, broker and controller in one process per node). Nodes that are up are left alone, dead ones are
# started again on the data that they had.
#   KAFKA_VERSION (that of kafka-pom.xml; or 3.9.2)   KAFKA_DIR ($MILLRACE_DATA/kafka-$KAFKA_PORT)
#   KAFKA_PORT (19092: clients; node n listens n above)   controllers 10, SASL_SSL 20, proxied clients 30 above
#   KAFKA_NODES (1; 3 means replication 3, min.insync.replicas 2)
#   KAFKA_SASL=1         adds a SASL_SSL listener, SCRAM-SHA-512, user millrace, password millrace-secret
#   KAFKA_PROXY_PORT     adds a listener whose clients are told to come to this port (and n above)
#   KAFKA_HEAP (256m)    KAFKA_EXTRA="key=value key=value": more broker settings
# Prints address=, sasl_address=, certificate=, proxied_address=, pid_file=.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=${KAFKA_PORT:-19092} dir=${KAFKA_DIR:-$data/kafka-${KAFKA_PORT:-19092}} nodes=${KAFKA_NODES:-1}
version=${KAFKA_VERSION:-$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/kafka-pom.xml")}
debian java openjdk-17-jre-headless || { echo "kafka needs Java 17 or newer" >&2; exit 1; }
debian mvn maven || { echo "kafka needs Maven to fetch its jars" >&2; exit 1; }
mkdir -p "$dir" "$tools/kafka/$version"
dir=$(cd "$dir" && pwd)

# The jars, once per version; renamed into place only when whole. Two Mavens at once would write the same files of its own store.
lib=$tools/kafka/$version/lib
exec 9>"$tools/kafka/.lock"
flock 9
if [ ! -d "$lib" ]; then
  echo "fetching Kafka $version (once, into $lib)" >&2
  rm -rf "$lib.part"
  again mvn -q -B -ntp -Dstyle.color=never -f "$here/kafka-pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime "-Dkafka.version=$version" "-DoutputDirectory=$lib.part" >&2
  mv "$lib.part" "$lib"
fi
flock -u 9
exec 9>&-

copies=$((nodes < 3 ? 1 : 3)) isr=$((nodes < 3 ? 1 : 2)) voters=
for ((n = 0; n < nodes; n++)); do voters+=${voters:+,}$((n + 1))@127.0.0.1:$((port + 10 + n)); done

settings() { # INDEX
  local n=$1 pair
  local listen=PLAINTEXT://127.0.0.1:$((port + n)),CONTROLLER://127.0.0.1:$((port + 10 + n))
  local advertise=PLAINTEXT://127.0.0.1:$((port + n)) map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
  if [ -n "${KAFKA_SASL:-}" ]; then
    listen+=,SASL_SSL://127.0.0.1:$((port + 20 + n))
    advertise+=,SASL_SSL://127.0.0.1:$((port + 20 + n))
    map+=,SASL_SSL:SASL_SSL
    cat <<END
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$dir/server.pem
END
  fi
  if [ -n "${KAFKA_PROXY_PORT:-}" ]; then
    listen+=,PROXIED://127.0.0.1:$((port + 30 + n))
    advertise+=,PROXIED://127.0.0.1:$((KAFKA_PROXY_PORT + n))
    map+=,PROXIED:PLAINTEXT
  fi
  cat <<END
process.roles=broker,controller
node.id=$((n + 1))
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=$listen
advertised.listeners=$advertise
listener.security.protocol.map=$map
log.dirs=$dir/node-$((n + 1))
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=$copies
min.insync.replicas=$isr
# Internal topics: few partitions, so that a fresh broker is quick.
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$copies
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$isr
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$isr
# Tests are impatient: no wait for more members, short sessions allowed, retention and compaction looked at often.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
END
  for pair in ${KAFKA_EXTRA:-}; do echo "$pair"; done
}

# Serial GC and one compiler tier: the smallest and quickest to start.
jvm=(java -Xms32m "-Xmx${KAFKA_HEAP:-256m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1
  -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS
  -Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=error -cp "$lib/*")

[ -s "$dir/cluster.id" ] || head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=\n' >"$dir/cluster.id"
scram=()
if [ -n "${KAFKA_SASL:-}" ]; then
  scram=(--add-scram 'SCRAM-SHA-512=[name=millrace,password=millrace-secret]')
  if [ ! -s "$dir/server.pem" ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
      -keyout "$dir/key.pem" -out "$dir/certificate.pem" 2>/dev/null
    cat "$dir/key.pem" "$dir/certificate.pem" >"$dir/server.pem"
  fi
fi
for ((n = 0; n < nodes; n++)); do
  node=node-$((n + 1))
  alive "$node" && continue
  settings "$n" >"$dir/$node.properties"
  if [ ! -f "$dir/$node/meta.properties" ]; then
    "${jvm[@]}" kafka.tools.StorageTool format -t "$(cat "$dir/cluster.id")" -c "$dir/$node.properties" "${scram[@]}" \
      >"$dir/$node.format.log" 2>&1 || { cat "$dir/$node.format.log" >&2; exit 1; }
  fi
  [ ! -f "$dir/$node.log" ] || mv "$dir/$node.log" "$dir/$node.log.1"
  start "$node" $((port + n)) "${jvm[@]}" kafka.Kafka "$dir/$node.properties"
done
address= sasl= proxied=
for ((n = 0; n < nodes; n++)); do
  wait_for 90 "node-$((n + 1))" grep -qs 'Kafka Server started' "$dir/node-$((n + 1)).log"
  address+=${address:+,}127.0.0.1:$((port + n))
  sasl+=${sasl:+,}127.0.0.1:$((port + 20 + n))
  proxied+=${proxied:+,}127.0.0.1:$((port + 30 + n))
  echo "pid_file=$dir/node-$((n + 1)).pid"
done
echo "address=$address"
[ -z "${KAFKA_SASL:-}" ] || printf 'sasl_address=%s\ncertificate=%s\n' "$sasl" "$dir/certificate.pem"
[ -z "${KAFKA_PROXY_PORT:-}" ] || echo "proxied_address=$proxied"
