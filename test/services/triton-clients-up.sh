#!/usr/bin/env bash
# NVIDIA's Python clients of the Open Inference Protocol (HTTP and gRPC), in an environment of their own. Nothing is left running.
# Prints python=.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=$tools/triton-clients/bin/python
exec 9>"$tools/triton-clients.lock"
flock 9
if [ ! -f "$tools/triton-clients/done" ]; then
  echo "installing tritonclient (once, into $tools/triton-clients)" >&2
  python3 -m venv "$tools/triton-clients" || { echo "no Python environments: install Debian's package python3-venv" >&2; exit 1; }
  again "$python" -m pip install -q 'tritonclient[http,grpc]==2.73.0' >&2
  touch "$tools/triton-clients/done"
fi
echo "python=$python"
