#!/usr/bin/env bash
# Outside clients: kcat from Debian, and a Python environment with Confluent's, CloudEvents', Avro's and
# OpenLineage's own clients.
# Nothing is left running.
# Prints python= and kcat=.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
debian kcat kcat || { echo "no kcat: install Debian's package kcat" >&2; exit 1; }
python=$tools/clients/bin/python
exec 9>"$tools/clients.lock"
flock 9
if [ ! -f "$tools/clients/done-2" ]; then
  echo "installing the Python clients (once, into $tools/clients)" >&2
  python3 -m venv "$tools/clients" || { echo "no Python environments: install Debian's package python3-venv" >&2; exit 1; }
  again "$python" -m pip install -q cloudevents==2.2.0 'confluent-kafka[avro,schemaregistry]==2.16.0' fastavro==1.13.1 \
    openlineage-python==1.39.0 >&2
  touch "$tools/clients/done-2"
fi
echo "python=$python"
echo "kcat=$(command -v kcat)"
