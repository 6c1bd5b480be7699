/** A service of the lane: how it is started and stopped, and what the tests hear of it. */
export interface LaneService {
  readonly name: string;
  readonly up: string;
  /** Absent when nothing is left running. */
  readonly down?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Environment variables of the tests, from the name=value lines that the script printed. */
  exports(fact: (name: string) => string): Readonly<Record<string, string>>;
}

/** Everything that the lane can start, on ports from `base` on. */
export function laneServices(base: number): readonly LaneService[] {
  const [proxyPort, proxyPort39] = [base + 40, base + 41];
  return [
    {
      name: 'kafka',
      up: 'kafka-up.sh',
      down: 'kafka-down.sh',
      environment: { KAFKA_PORT: String(base), KAFKA_SASL: '1', KAFKA_PROXY_PORT: String(proxyPort) },
      exports: (fact) => ({
        MILLRACE_TEST_KAFKA: fact('address'),
        MILLRACE_TEST_KAFKA_SASL: fact('sasl_address'),
        MILLRACE_TEST_KAFKA_CERTIFICATE: fact('certificate'),
        // A test's proxy listens on the first and passes on to the second.
        MILLRACE_TEST_KAFKA_PROXY: `127.0.0.1:${proxyPort},${fact('proxied_address')}`,
      }),
    },
    {
      name: 'kafka-3.9',
      up: 'kafka-up.sh',
      down: 'kafka-down.sh',
      environment: {
        KAFKA_PORT: String(base + 51),
        KAFKA_VERSION: '3.9.2',
        KAFKA_PROXY_PORT: String(proxyPort39),
      },
      exports: (fact) => ({
        MILLRACE_TEST_KAFKA_39_PROXY: `127.0.0.1:${proxyPort39},${fact('proxied_address')}`,
      }),
    },
    {
      name: 'registry',
      up: 'registry-up.sh',
      down: 'registry-down.sh',
      environment: { REGISTRY_PORT: String(base + 70) },
      exports: (fact) => ({ MILLRACE_TEST_REGISTRY_URL: fact('address') }),
    },
    {
      name: 'redis',
      up: 'redis-up.sh',
      down: 'redis-down.sh',
      environment: { REDIS_PORT: String(base + 63) },
      exports: (fact) => ({ MILLRACE_TEST_REDIS_URL: fact('address') }),
    },
    {
      name: 'redis-cluster',
      up: 'redis-cluster-up.sh',
      down: 'redis-cluster-down.sh',
      environment: { REDIS_CLUSTER_PORT: String(base + 64) },
      exports: (fact) => ({ MILLRACE_TEST_REDIS_CLUSTER: fact('address') }),
    },
    {
      name: 's3',
      up: 's3-up.sh',
      down: 's3-down.sh',
      environment: { S3_PORT: String(base + 80) },
      exports: (fact) => ({ MILLRACE_TEST_S3_URL: fact('address') }),
    },
    {
      name: 'postgres',
      up: 'postgres-up.sh',
      down: 'postgres-down.sh',
      environment: { POSTGRES_PORT: String(base + 90) },
      exports: (fact) => ({ MILLRACE_TEST_POSTGRES_URL: fact('address') }),
    },
    {
      name: 'kube',
      up: 'kube-up.sh',
      down: 'kube-down.sh',
      environment: { KUBE_PORT: String(base + 91) },
      exports: (fact) => ({ MILLRACE_TEST_KUBECONFIG: fact('kubeconfig'), MILLRACE_TEST_KUBE_TOOLS: fact('tools') }),
    },
    {
      name: 'prometheus',
      up: 'prometheus-bin.sh',
      environment: {},
      exports: (fact) => ({ MILLRACE_TEST_PROMETHEUS: fact('prometheus'), MILLRACE_TEST_PROMTOOL: fact('promtool') }),
    },
    {
      name: 'triton-clients',
      up: 'triton-clients-up.sh',
      environment: {},
      exports: (fact) => ({ MILLRACE_TEST_TRITON_PYTHON: fact('python') }),
    },
    {
      name: 'clients',
      up: 'clients-up.sh',
      environment: {},
      exports: (fact) => ({ MILLRACE_TEST_PYTHON: fact('python'), MILLRACE_TEST_KCAT: fact('kcat') }),
    },
  ];
}
