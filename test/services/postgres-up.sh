#!/usr/bin/env bash
# One PostgreSQL on loopback, Debian's, with one database `millrace` of the user `millrace`. Safe to run again.
#   POSTGRES_PORT  (5433)
#   POSTGRES_DIR   ($MILLRACE_DATA/postgres)
# Prints address= and pid_file=.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=${POSTGRES_PORT:-5433}
dir=${POSTGRES_DIR:-$data/postgres}
find_bin() { { command -v initdb && return; ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null; } | tail -n 1; }
[ -n "$(find_bin)" ] || debian initdb postgresql || { echo "no PostgreSQL: install Debian's package postgresql" >&2; exit 1; }
bin=$(dirname "$(readlink -f "$(find_bin)")")
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# PostgreSQL refuses root. Its folder belongs to another user then, who must reach it: the way there may be closed to others.
as=()
cluster=$dir/cluster
if [ "$(id -u)" = 0 ]; then
  user=$(id -u postgres >/dev/null 2>&1 && echo postgres || echo nobody)
  as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups env HOME=/tmp)
  [ -f "$dir/cluster-path" ] || mktemp -d /tmp/millrace-postgres-XXXXXX >"$dir/cluster-path"
  cluster=$(cat "$dir/cluster-path")
  chown "$user" "$cluster"
fi
if [ ! -f "$cluster/PG_VERSION" ]; then
  "${as[@]}" "$bin/initdb" -D "$cluster" -U millrace --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-instructions >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; exit 1; }
fi

alive postgres || start postgres "$port" "${as[@]}" "$bin/postgres" -D "$cluster" -h 127.0.0.1 -p "$port" -k '' \
  -c shared_buffers=64MB -c max_connections=60
ask() { "$bin/psql" -qtA -h 127.0.0.1 -p "$port" -U millrace -d "$1" -c "$2"; }
wait_for 30 postgres ask postgres 'select 1'
[ -n "$(ask postgres "select 1 from pg_database where datname = 'millrace'")" ] || ask postgres 'create database millrace' >&2
echo "address=postgres://millrace@127.0.0.1:$port/millrace"
echo "pid_file=$dir/postgres.pid"
