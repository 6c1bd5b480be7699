#!/usr/bin/env bash
# Prometheus and its promtool, Debian's. Starts nothing. Safe to run again.
# Prints prometheus= and promtool=.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
debian prometheus prometheus || { echo "no Prometheus: install Debian's package prometheus" >&2; exit 1; }
echo "prometheus=$(command -v prometheus)"
echo "promtool=$(command -v promtool)"
