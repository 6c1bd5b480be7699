#!/usr/bin/env bash
# An S3 server: Versity S3 Gateway on a folder (Go, Apache-2.0). Safe to run again.
#   S3_PORT                     (9090)
#   S3_DIR                      ($MILLRACE_DATA/s3)
#   S3_ACCESS_KEY S3_SECRET_KEY (millrace, millrace-secret)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
version=v1.8.0
port=${S3_PORT:-9090}
dir=${S3_DIR:-$data/s3}
gateway=$tools/bin/versitygw

if [ ! -x "$gateway" ]; then
  echo "building versitygw $version (once, into $tools/bin)" >&2
  CGO_ENABLED=0 GOBIN=$tools/bin again nice go install -p "${MILLRACE_JOBS:-2}" -trimpath -ldflags '-s -w' \
    "github.com/versity/versitygw/cmd/versitygw@$version" >&2
fi
mkdir -p "$dir/objects" "$dir/meta"

# A file system without extended attributes keeps the objects' metadata in files beside them.
metadata=()
python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.millrace", b"1")' "$dir" 2>/dev/null || metadata=(--sidecar "$dir/meta")

alive s3 || start s3 "$port" "$gateway" --port "127.0.0.1:$port" \
  --access "${S3_ACCESS_KEY:-millrace}" --secret "${S3_SECRET_KEY:-millrace-secret}" \
  --health /health --keep-alive --quiet posix "${metadata[@]}" "$dir/objects"

is_healthy() {
  local status
  exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
  printf 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
  read -r -t 2 status <&3
  exec 3>&-
  [[ $status == *' 200 '* ]]
}
wait_for 20 s3 is_healthy
echo "address=http://127.0.0.1:$port"
echo "pid_file=$dir/s3.pid"
