#!/usr/bin/env bash
# A real Kubernetes control plane without containers: etcd, kube-apiserver, kube-controller-manager and kube-scheduler of 1.36.3, in one
# program that is built once (13 CPU-minutes, Go), with kwok as the nodes. Nothing runs in a pod: a test is the kubelet.
#   KUBE_PORT (6500; etcd has the next two)  KUBE_DIR ($MILLRACE_DATA/kube)  KUBE_NODES (2)
. "$(dirname "$0")/lib.sh"
k8s=1.36.3
port=${KUBE_PORT:-6500} dir=${KUBE_DIR:-$data/kube} nodes=${KUBE_NODES:-2}
v=k8s.io/component-base/version
kube="$tools/bin/kube-tools-$k8s"
if [ ! -x "$kube" ]; then
  echo "building kube-tools-$k8s (once, into $tools/bin)" >&2
  stamp="-X $v.gitVersion=v$k8s -X $v.gitMajor=1 -X $v.gitMinor=36 -X $v.gitTreeState=clean"
  (cd "$here/kube-tools" && CGO_ENABLED=0 again nice go build -p "${MILLRACE_JOBS:-2}" -buildvcs=false -trimpath \
    -ldflags "-s -w $stamp" -o "$kube.part" . && mv "$kube.part" "$kube")
fi
mkdir -p "$dir"
[ -f "$dir/sa.key" ] || openssl genrsa -out "$dir/sa.key" 2048 2>/dev/null
[ -f "$dir/tokens.csv" ] || (umask 077; echo "$(openssl rand -hex 16),admin,admin,system:masters" >"$dir/tokens.csv")

alive etcd || start etcd $((port + 1)) "$kube" etcd --name test --data-dir "$dir/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls "http://127.0.0.1:$((port + 1))" --advertise-client-urls "http://127.0.0.1:$((port + 1))" \
  --listen-peer-urls "http://127.0.0.1:$((port + 2))" --initial-advertise-peer-urls "http://127.0.0.1:$((port + 2))" \
  --initial-cluster "test=http://127.0.0.1:$((port + 2))"
alive apiserver || start apiserver "$port" "$kube" kube-apiserver --etcd-servers "http://127.0.0.1:$((port + 1))" \
  --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$port" --cert-dir "$dir/certs" \
  --endpoint-reconciler-type none --service-cluster-ip-range 10.96.0.0/24 --authorization-mode RBAC \
  --token-auth-file "$dir/tokens.csv" --service-account-issuer https://kubernetes.default.svc \
  --service-account-key-file "$dir/sa.key" --service-account-signing-key-file "$dir/sa.key" \
  --shutdown-send-retry-after=false
for ((i = 0; i < 300; i++)); do [ -f "$dir/certs/apiserver.crt" ] && break; sleep 0.1; done
cat >"$dir/kubeconfig" <<YML
apiVersion: v1
kind: Config
current-context: millrace
clusters: [{name: millrace, cluster: {server: "https://127.0.0.1:$port", certificate-authority: "$dir/certs/apiserver.crt"}}]
users: [{name: admin, user: {token: "$(cut -d, -f1 "$dir/tokens.csv")"}}]
contexts: [{name: millrace, context: {cluster: millrace, user: admin}}]
YML
kubectl() { "$kube" kubectl --kubeconfig "$dir/kubeconfig" "$@"; }
wait_for 120 apiserver kubectl get --raw /readyz

if [ "$nodes" -gt 0 ]; then
  alive controllers || start controllers - "$kube" kube-controller-manager --kubeconfig "$dir/kubeconfig" \
    --leader-elect=false --secure-port 0 --service-account-private-key-file "$dir/sa.key" \
    --root-ca-file "$dir/certs/apiserver.crt" --kube-api-qps 200 --kube-api-burst 400
  alive scheduler || start scheduler - "$kube" kube-scheduler --kubeconfig "$dir/kubeconfig" \
    --leader-elect=false --secure-port 0
  alive kwok || start kwok - "$kube" kwok --kubeconfig "$dir/kubeconfig" --manage-all-nodes \
    --config "$here/kube-tools/stages.yaml" --node-lease-duration-seconds 40
  for ((i = 0; i < nodes; i++)); do
    kubectl apply -f - >/dev/null <<YML
apiVersion: v1
kind: Node
metadata: {name: node-$i, labels: {kubernetes.io/hostname: node-$i}}
status: {capacity: {cpu: 32, memory: 256Gi, pods: 110}, allocatable: {cpu: 32, memory: 256Gi, pods: 110}}
YML
  done
  wait_for 60 kwok kubectl wait --for condition=Ready node --all --timeout 1s
  wait_for 60 controllers kubectl get -n default serviceaccount default
fi
echo "address=https://127.0.0.1:$port"
echo "kubeconfig=$dir/kubeconfig"
echo "tools=$kube"
for name in etcd apiserver controllers scheduler kwok; do
  [ -f "$dir/$name.pid" ] && echo "pid_file=$dir/$name.pid"
done
