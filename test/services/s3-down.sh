#!/usr/bin/env bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
dir=${S3_DIR:-$data/s3}
stop s3
