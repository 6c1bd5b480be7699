# Says its arguments, one a line, and what is in the file that it was given.
for word in "$@"; do echo "<$word>"; done
echo "line: $(cat "$8")"
echo '{"metrics": {"rmse": 0.5}, "params": {"alpha": "0.1"}}' > "$MILLRACE_OUTPUT/manifest.json"
