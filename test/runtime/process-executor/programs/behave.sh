# Each way in which a program may behave; $1 is `mode:path`.
out=$MILLRACE_OUTPUT
mode=${1%%:*}
path=${1#*:}
case $mode in
  exits)
    printf 'cannot read the file\nValueError: no rows\n' >&2
    exit 3
    ;;
  crashes) kill -SEGV $$ ;;
  nothing) ;;
  malformed) printf '{"artifacts": ' > "$out/manifest.json" ;;
  wrong) echo '{"artefacts": {}, "metrics": {"rmse": "low"}, "models": [{"model": "../x", "path": "m"}]}' > "$out/manifest.json" ;;
  not-json) echo '<html>' > "$out/answer.json" ;;
  outside) ln -s /etc/passwd "$out/answer.json" ;;
  codec) echo '{"artifacts": {"answer": "a.npy"}}' > "$out/manifest.json" ;;
  floods)
    yes 'one of very many lines, all of the same text' | head -n 200000
    echo 42 > "$out/answer.json"
    ;;
  marks)
    printf '\036.\036o one\n'
    echo two >&2
    echo 42 > "$out/answer.json"
    ;;
  hangs)
    echo $$ > "$path"
    trap '' TERM
    while :; do sleep 1; done
    ;;
  leaves)
    sleep 1000 &
    echo $! > "$path"
    echo 42 > "$out/answer.json"
    ;;
  eats) exec node -e 'const hoard = []; setInterval(() => hoard.push(Buffer.alloc(40_000_000, 1)), 20)' ;;
esac
