/**
 * Every setting of the platform, as data: the one place that knows its type, default, meaning and environment variable. The
 * reference page `docs/configuration.md` is generated from here.
 *
 * A setting `kafka.bootstrap` is the environment variable MILLRACE_KAFKA_BOOTSTRAP, the flag `--set kafka.bootstrap=…`, and
 * `kafka: { bootstrap: … }` in `millrace.yaml`. Precedence: flag, environment, file, default.
 */
export type Setting =
  | {
      readonly type: 'text';
      readonly default: string;
      readonly doc: string;
      readonly secret?: true;
    }
  | {
      readonly type: 'text';
      readonly default: string;
      readonly doc: string;
      /** A regular expression for the whole of it, and the same in words. */
      readonly pattern: string;
      readonly accepts: string;
    }
  | {
      /** Comma-separated; blanks around items do not count. A file may give a list. */
      readonly type: 'list';
      /** A regular expression for the whole of an item, and the same in words. */
      readonly item: string;
      readonly accepts: string;
      /** @default false */
      readonly mayBeEmpty?: true;
      readonly default: readonly string[];
      readonly doc: string;
    }
  | {
      /** JSON; a file may give it as YAML. `texts`: an object whose values are texts. `objects`: a list of objects. */
      readonly type: 'json';
      readonly shape: 'texts' | 'objects';
      readonly default: Readonly<Record<string, string>> | readonly Readonly<Record<string, unknown>>[];
      readonly doc: string;
    }
  | { readonly type: 'choice'; readonly choices: readonly string[]; readonly default: string; readonly doc: string }
  | {
      readonly type: 'integer';
      readonly min: number;
      readonly max: number;
      readonly default: number;
      readonly doc: string;
    }
  | { readonly type: 'switch'; readonly default: boolean; readonly doc: string };

export const settings = {
  profile: {
    type: 'choice',
    choices: ['local', 'cluster'],
    default: 'local',
    doc: 'local: embedded log, LMDB and a directory, Node alone. cluster: Kafka, Redis, S3 and a schema registry.',
  },
  directory: {
    type: 'text',
    default: '.millrace',
    doc: 'Where the local profile keeps everything, and every profile its caches.',
  },
  durability: {
    type: 'choice',
    choices: ['process', 'disk'],
    default: 'process',
    doc: 'What an acknowledged write survives: kill -9 of every process, or power loss too (local profile).',
  },
  actor: {
    type: 'text',
    default: '',
    doc: 'Who is recorded for calls that name nobody; empty: the user of the operating system.',
  },
  'log.level': {
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'warn',
    doc: 'Least severe log line that is written.',
  },

  'http.host': {
    type: 'text',
    default: '127.0.0.1',
    doc: 'Address to listen on. Any but a loopback address needs http.token.',
  },
  'http.port': {
    type: 'integer',
    min: 0,
    max: 65_535,
    default: 7400,
    doc: 'Port of the gateway, or of the probes of a process without one; 0 takes a free one.',
  },
  'http.token': {
    type: 'text',
    default: '',
    secret: true,
    doc: 'Bearer token that every call must carry; empty: none is asked for (loopback only).',
  },
  'http.hosts': {
    type: 'list',
    item: '[^\\s,/]+',
    accepts: 'host names',
    mayBeEmpty: true,
    default: [],
    doc: 'Host names that are served beside the loopback names.',
  },
  'http.body_bytes_max': {
    type: 'integer',
    min: 1_024,
    max: 1_073_741_824,
    default: 16_777_216,
    doc: 'Largest request body, bytes.',
  },
  'grpc.port': {
    type: 'text',
    default: '',
    pattern: '[0-9]{0,5}',
    accepts: 'a port, or nothing',
    doc: 'Port of the Open Inference Protocol over gRPC, on the address and with the token of HTTP; empty: not served; 0 takes a free one.',
  },

  'kafka.bootstrap': {
    type: 'list',
    item: '[^\\s:,]+:[0-9]+',
    accepts: 'host:port',
    default: ['127.0.0.1:9092'],
    doc: 'Some of the brokers; the others are learnt from them.',
  },
  'kafka.prefix': {
    type: 'text',
    default: '',
    pattern: '[a-zA-Z0-9._-]*',
    accepts: "letters, digits, '.', '_' and '-'",
    doc: 'Put before every topic and group name.',
  },
  'kafka.replication': { type: 'integer', min: 1, max: 9, default: 1, doc: 'Copies of each partition.' },
  'kafka.session_timeout_ms': {
    type: 'integer',
    min: 1_000,
    max: 1_800_000,
    default: 6_000,
    doc: 'A process that is silent for so long loses its partitions to others, milliseconds; the brokers have limits of their own.',
  },
  'kafka.tls': { type: 'switch', default: false, doc: 'Encrypt connections to brokers.' },
  'kafka.tls_ca': { type: 'text', default: '', doc: 'File with the PEM certificate authority of the brokers.' },
  'kafka.sasl_mechanism': {
    type: 'choice',
    choices: ['', 'plain', 'scram-sha-256', 'scram-sha-512'],
    default: '',
    doc: 'How to authenticate; empty: not at all.',
  },
  'kafka.sasl_username': { type: 'text', default: '', doc: 'SASL user.' },
  'kafka.sasl_password': { type: 'text', default: '', secret: true, doc: 'SASL password.' },

  'redis.url': {
    type: 'text',
    default: 'redis://127.0.0.1:6379',
    doc: 'Redis that keeps the state of topologies. It must not evict (maxmemory-policy noeviction).',
  },
  'redis.cluster': { type: 'switch', default: false, doc: 'The address is a node of a Redis Cluster.' },

  'audit.signing_key': {
    type: 'text',
    default: '',
    secret: true,
    doc: 'Ed25519 private key in PEM (PKCS#8) that signs the seals of the audit trail; empty: they are not signed.',
  },

  'query.url': {
    type: 'text',
    default: '',
    secret: true,
    doc: 'PostgreSQL that all instances share for queries, postgres://user:password@host:port/database; empty: SQLite files of each process.',
  },

  's3.endpoint': { type: 'text', default: 'http://127.0.0.1:9000', doc: "S3 endpoint; empty: Amazon's of the region." },
  's3.region': { type: 'text', default: 'us-east-1', doc: 'S3 region.' },
  's3.bucket': {
    type: 'text',
    default: 'millrace',
    doc: 'Bucket for artifacts and snapshots; it is made when absent.',
  },
  's3.access_key_id': {
    type: 'text',
    default: '',
    doc: "S3 access key id; empty: what the AWS SDK finds (its variables and files, the machine's role).",
  },
  's3.secret_access_key': { type: 'text', default: '', secret: true, doc: 'S3 secret access key.' },

  'registry.url': {
    type: 'text',
    default: 'http://127.0.0.1:8081',
    doc: 'Confluent-compatible schema registry; where it asks for them, https://name:password@host.',
  },

  'worker.slots': { type: 'integer', min: 1, max: 256, default: 4, doc: 'Steps that run at once in a step worker.' },
  'worker.memory_mb': { type: 'integer', min: 64, max: 1_048_576, default: 2_048, doc: 'Memory limit of a step, MiB.' },
  'worker.compute': {
    type: 'list',
    item: '[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?',
    accepts: "names of up to 40 lower-case letters, digits and '-'",
    default: ['process'],
    doc: 'Compute classes that a step worker serves, such as process,gpu: it takes the steps that ask for one of them. Steps that ask for none are of the class process.',
  },
  'worker.tracking_url': {
    type: 'text',
    default: '',
    doc: 'Address of a gateway for steps, which they find as MILLRACE_URL and log metrics and files to; empty: the gateway of the same process.',
  },
  'worker.executor': {
    type: 'choice',
    choices: ['process', 'kubernetes'],
    default: 'process',
    doc: 'Where a step worker runs steps: in child processes of its machine, or each as a Kubernetes Job.',
  },
  'kubernetes.kubeconfig': {
    type: 'text',
    default: '',
    doc: 'Kubeconfig file; empty: KUBECONFIG, ~/.kube/config, or the service account of the pod.',
  },
  'kubernetes.namespace': { type: 'text', default: 'millrace', doc: 'Where Jobs of steps are made.' },
  'kubernetes.service_account': {
    type: 'text',
    default: 'millrace-step',
    doc: 'Service account of the pods of steps; it needs no rights.',
  },
  'kubernetes.image': {
    type: 'text',
    default: 'millrace',
    doc: 'Image of steps that name none; an image of a step has a program millrace of this version on its PATH.',
  },
  'kubernetes.node_selector': {
    type: 'json',
    shape: 'texts',
    default: {},
    doc: 'Labels of the nodes that may take the steps of this worker: {"pool":"gpu"}.',
  },
  'kubernetes.tolerations': {
    type: 'json',
    shape: 'objects',
    default: [],
    doc: 'Tolerations of the steps of this worker, as in a pod: [{"key":"gpu","operator":"Exists"}].',
  },
  'kubernetes.gpu_resource': {
    type: 'text',
    default: 'nvidia.com/gpu',
    doc: 'Resource of the nodes that stands for one GPU.',
  },
  'kubernetes.pending_seconds': {
    type: 'integer',
    min: 1,
    max: 86_400,
    default: 600,
    doc: 'How long a Job may wait for its pod to be placed and begun, seconds.',
  },
  'kubernetes.ttl_seconds': {
    type: 'integer',
    min: 0,
    max: 2_592_000,
    default: 3_600,
    doc: 'How long a Job that is over can be looked at, seconds.',
  },
  'kubernetes.door_host': {
    type: 'text',
    default: '127.0.0.1',
    doc: 'Address on which a Kubernetes worker listens for the pods of its steps; every call must show the token of such a pod.',
  },
  'kubernetes.door_port': {
    type: 'integer',
    min: 0,
    max: 65_535,
    default: 7_402,
    doc: 'Port on which a Kubernetes worker listens for the pods of its steps; 0 takes a free one.',
  },
  'kubernetes.door_url': {
    type: 'text',
    default: '',
    doc: 'Address at which the pods of steps reach their Kubernetes worker; empty: http://<kubernetes.door_host>:<kubernetes.door_port>.',
  },
  'model_server.threads': { type: 'integer', min: 1, max: 64, default: 1, doc: 'Threads of one model session.' },
  'model_server.models_max': {
    type: 'integer',
    min: 1,
    max: 100_000,
    default: 256,
    doc: 'Models in memory at once. More are served: the one that was unused for longest makes room, and its next request loads it again.',
  },
  'model_server.memory_mb': {
    type: 'integer',
    min: 1,
    max: 1_048_576,
    default: 512,
    doc: 'Files of the models in memory together, MiB.',
  },
  'model_server.in_flight_max': {
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: 2_000,
    doc: 'Predictions by HTTP and gRPC under way in a process; more are turned away (503 with Retry-After, RESOURCE_EXHAUSTED).',
  },
  'model_server.queue_max': {
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: 1_000,
    doc: 'Requests that wait for one model: of HTTP and gRPC, which are turned away beyond, and as many by topic, whose partitions then wait.',
  },
  'model_server.model_calls': {
    type: 'integer',
    min: 1,
    max: 64,
    default: 1,
    doc: 'Calls at once of one model in this process.',
  },
  'model_server.batching': {
    type: 'choice',
    choices: ['adaptive', 'fixed'],
    default: 'adaptive',
    doc: 'adaptive: rows of a call and the wait for them are chosen for each model from its measured run times and arrivals. fixed: model_server.batch_rows and model_server.batch_wait_ms.',
  },
  'model_server.batch_rows': {
    type: 'integer',
    min: 1,
    max: 100_000,
    default: 512,
    doc: 'Most rows of one call of a model, if model_server.batching is fixed.',
  },
  'model_server.batch_wait_ms': {
    type: 'integer',
    min: 0,
    max: 10_000,
    default: 0,
    doc: 'How long a free model waits for a call of model_server.batch_rows rows, milliseconds, if model_server.batching is fixed.',
  },
  'model_server.remote_servers': {
    type: 'list',
    item: '[^\\s,]+',
    accepts: 'host:port',
    mayBeEmpty: true,
    default: [],
    doc: 'Open Inference Protocol servers, host:port, whose models may be served from here.',
  },
  'model_server.remote_timeout_ms': {
    type: 'integer',
    min: 10,
    max: 600_000,
    default: 10_000,
    doc: 'Longest time of one call of a model on another server, milliseconds.',
  },
  'model_server.remote_calls': {
    type: 'integer',
    min: 1,
    max: 1_000,
    default: 8,
    doc: 'Calls at once of one model on another server.',
  },
  'model_server.reply_topics': {
    type: 'list',
    item: '[a-zA-Z0-9._-]+',
    accepts: 'names of topics',
    mayBeEmpty: true,
    default: [],
    doc: 'Names of the topics, prefix included, that prediction requests may ask to be answered on.',
  },
  'feedback.wait_ms': {
    type: 'integer',
    min: 0,
    max: 2_592_000_000,
    default: 3_600_000,
    doc: 'How long feedback waits for a prediction that is not there yet, milliseconds.',
  },
  'webhooks.key': {
    type: 'text',
    default: '',
    secret: true,
    doc: 'Encrypts the signing secrets of webhooks on the log, 32 characters or more, the same for gateways and egress; empty: the local profile keeps one in its directory, the cluster profile makes no webhooks.',
  },
  'webhooks.allow': {
    type: 'list',
    item: '[0-9a-fA-F.:]+/[0-9]{1,3}',
    accepts: 'networks such as 10.1.0.0/16',
    mayBeEmpty: true,
    default: [],
    doc: 'Networks (10.1.0.0/16, 127.0.0.1/32, fd00::/8) that webhooks may reach although they are private; plain http is spoken to these alone.',
  },
  'webhooks.attempts': {
    type: 'integer',
    min: 1,
    max: 100,
    default: 15,
    doc: 'Requests for one event before it is given up as dead.',
  },
  'webhooks.backoff_ms': {
    type: 'integer',
    min: 10,
    max: 3_600_000,
    default: 1_000,
    doc: 'Pause before the second request for an event, milliseconds; it doubles each time, up to an hour.',
  },
  'webhooks.timeout_ms': {
    type: 'integer',
    min: 100,
    max: 60_000,
    default: 10_000,
    doc: 'Longest time of one request to a webhook, milliseconds.',
  },
  'engine.rebuild_alone': {
    type: 'switch',
    default: false,
    doc: 'Rebuild a task whose state is ahead of its topic, as a new branch of its origin, instead of refusing to start (the local profile always does).',
  },
  'engine.watchers_thread': {
    type: 'switch',
    default: true,
    doc: 'Run the topologies that only watch (monitors, audit trails, rewards, lineage) in a thread of their own, where folding does not hold up predictions and flows (local profile); they share one state file with them.',
  },
  'engine.snapshot_every_records': {
    type: 'integer',
    min: 100,
    max: 1_000_000_000,
    default: 100_000,
    doc: 'Records between two snapshots of a task; where fewer come, one a day.',
  },
  'log.delete_read': {
    type: 'switch',
    default: true,
    doc: 'Delete what every reader of a topic has behind it, second newest snapshots of its topologies included (topics that say so; see docs/topics.md).',
  },
  'log.keep_days': {
    type: 'integer',
    min: 1,
    max: 36_500,
    default: 30,
    doc: 'Records younger than this are never deleted, and a projection that was silent for longer is no reader any more, days.',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

type ValueOf<S extends Setting> = S extends { type: 'integer' }
  ? number
  : S extends { type: 'switch' }
    ? boolean
    : S extends { type: 'list' }
      ? readonly string[]
      : S extends { type: 'json'; shape: 'texts' }
        ? Readonly<Record<string, string>>
        : S extends { type: 'json' }
          ? readonly Readonly<Record<string, unknown>>[]
          : string;

/** A validated configuration: every setting has a value. */
export type Configuration = { readonly [N in SettingName]: ValueOf<(typeof settings)[N]> };

export function environmentName(name: string): string {
  return `MILLRACE_${name.replaceAll('.', '_').toUpperCase()}`;
}
