#!/usr/bin/env bash
# A schema registry with the Confluent API, in memory: a restart begins with no schemas.
#   REGISTRY_KIND  axonops (Go 1.26 or newer: one slow build, then 0.3 s and 24 MB) or apicurio (Java 17: 4 s, 160 MB);
#                  default axonops where there is a Go, else apicurio
#   REGISTRY_PORT (18081)   REGISTRY_DIR ($MILLRACE_DATA/registry-$REGISTRY_PORT)
# Prints address= (for a Confluent client) and pid_file=.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port=${REGISTRY_PORT:-18081} dir=${REGISTRY_DIR:-$data/registry-${REGISTRY_PORT:-18081}}
kind=${REGISTRY_KIND:-$(command -v go >/dev/null && echo axonops || echo apicurio)}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# The program, once per version; renamed into place only when whole.
case $kind in
  axonops) version=$(sed -n 's:^require .*axonops-schema-registry \(v.*\):\1:p' "$here/registry-go/go.mod") ;;
  apicurio) version=$(sed -n 's:.*<registry.version>\(.*\)</registry.version>.*:\1:p' "$here/registry-pom.xml") ;;
  *) echo "no registry of the kind $kind" >&2; exit 2 ;;
esac
app=$tools/registry/$kind-$version/app
mkdir -p "${app%/app}"
exec 9>"${app%/app}/.lock"
flock 9
if [ ! -d "$app" ]; then
  echo "building the registry $kind $version (once, into $app)" >&2
  rm -rf "$app.part"
  mkdir "$app.part"
  if [ "$kind" = axonops ]; then
    (cd "$here/registry-go" && again nice go build -p "${MILLRACE_JOBS:-2}" -trimpath -ldflags '-s -w' -o "$app.part/" \
      github.com/axonops/axonops-schema-registry/cmd/schema-registry) >&2
  else
    debian java openjdk-17-jre-headless && debian mvn maven || { echo "apicurio needs Java 17 and Maven" >&2; exit 1; }
    again mvn -q -B -ntp -Dstyle.color=never -f "$here/registry-pom.xml" \
      org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack-dependencies \
      -DincludeArtifactIds=apicurio-registry-app "-DoutputDirectory=$app.part" "-DmarkersDirectory=$app.part/.markers" >&2
  fi
  mv "$app.part" "$app"
fi
flock -u 9
exec 9>&-

url=http://127.0.0.1:$port
if [ "$kind" = axonops ]; then
  printf 'server: {host: 127.0.0.1, port: %s}\nstorage: {type: memory}\ncompatibility: {default_level: BACKWARD}\n' \
    "$port" >"$dir/registry.yaml"
  program=("$app/schema-registry" --config "$dir/registry.yaml")
else
  url+=/apis/ccompat/v7
  program=(java -Xms32m -Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1
    "-Dquarkus.http.port=$port" -jar "$app/apicurio-registry-app-$version-runner.jar")
fi
alive registry || start registry "$port" "${program[@]}"
ready() { node -e 'fetch(process.argv[1]).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))' "$url/subjects"; }
wait_for 90 registry ready
echo "address=$url"
echo "pid_file=$dir/registry.pid"
