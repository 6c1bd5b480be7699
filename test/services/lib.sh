# shellcheck shell=bash
# What the *-up.sh and *-down.sh scripts of the service lane share. A script sources this file, then sets $dir, the folder in
# which its service keeps data, logs and pid files.
#   MILLRACE_TOOLS  programs that were built or unpacked once  (default ~/.cache/millrace)
#   MILLRACE_DATA   parent of the services' folders            (default $MILLRACE_TOOLS/data)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${MILLRACE_TOOLS:-$HOME/.cache/millrace}
data=${MILLRACE_DATA:-$tools/data}
mkdir -p "$tools/bin" "$data"

# started_at PID: the time at which a process began, in clock ticks; nothing when it is gone or only waits to be reaped.
started_at() {
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
}

# alive NAME: whether the process of $dir/NAME.pid runs. The file holds the pid and the time at which the process began, so that a
# left file never makes us stop a stranger that was given the same pid.
alive() {
  local pid began
  { read -r pid && read -r began; } 2>/dev/null <"$dir/$1.pid" || return 1
  [ -n "$began" ] && [ "$(started_at "$pid")" = "$began" ]
}

# start NAME PORT COMMAND...: runs COMMAND in the background, its output in $dir/NAME.log. A port that another process holds is
# refused here, since that process could answer the question whether this one is ready. PORT is - when there is none.
start() {
  local name=$1 port=$2
  shift 2
  if [ "$port" != - ] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "$name: port $port is taken by another process; stop it or choose another port" >&2
    return 1
  fi
  setsid nohup "$@" >>"$dir/$name.log" 2>&1 </dev/null &
  { echo $!; started_at $!; } >"$dir/$name.pid"
}

# stop NAME [SECONDS]: ends the process, with -9 when it has not ended after SECONDS (10).
stop() {
  local pid tenths
  if alive "$1"; then
    read -r pid <"$dir/$1.pid"
    kill "$pid"
    for ((tenths = ${2:-10} * 10; tenths > 0; tenths--)); do
      alive "$1" || break
      sleep 0.1
    done
    if alive "$1"; then kill -9 "$pid"; fi
  fi
  rm -f "$dir/$1.pid"
}

# wait_for SECONDS NAME COMMAND...: until COMMAND succeeds; fails, with the end of the log, when NAME dies or the time is over.
wait_for() {
  local until=$((SECONDS + $1)) name=$2
  shift 2
  until alive "$name" && "$@" >/dev/null 2>&1; do
    if ! alive "$name" || ((SECONDS >= until)); then
      echo "$name is not ready; the end of $dir/$name.log:" >&2
      tail -n 20 "$dir/$name.log" >&2
      return 1
    fi
    sleep 0.1
  done
}

# again COMMAND...: what fetches from the network; up to three tries.
again() {
  local try
  for try in 1 2 3; do
    if "$@"; then return; fi
    if ((try < 3)); then
      echo "$1 failed; trying again" >&2
      sleep $((try * 5))
    fi
  done
  return 1
}

# debian COMMAND PACKAGE: installs PACKAGE unless COMMAND is there; fails where that is not possible. One script at a time, since
# apt-get waits for no other that holds its lists.
debian() {
  if command -v "$1" >/dev/null; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then return 1; fi
  (
    flock 8
    command -v "$1" >/dev/null || again fetch_package "$2"
  ) 8>"$tools/debian.lock"
}

fetch_package() {
  local apt=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o DPkg::Lock::Timeout=300)
  local install=("${apt[@]}" install -y --no-install-recommends "$1")
  "${install[@]}" >&2 8>&- || { "${apt[@]}" update >&2 8>&- && "${install[@]}" >&2 8>&-; }
}
