/** Jobs as data: what stands in the cluster for one attempt of one step. */
import { hash as hashOf } from 'node:crypto';
import type { V1EnvVar, V1Job } from '@kubernetes/client-node';
import { MillraceError } from '../../ports/errors.ts';
import type { TaskWork } from '../../ports/task-executor.ts';
import type { JobSettings } from './kubernetes-options.ts';

export const workerLabel = 'millrace.dev/worker';
export const holderAnnotation = 'millrace.dev/holder';
export const tokenAudience = 'millrace-step';
export const containerName = 'step';
/** Port that rank 0 of a gang keeps. */
const gangPort = 7401;
/** Headless service under whose name the pods of gangs are found. */
const gangService = 'millrace-steps';
/** For the process that runs the step, beside what the step may take, MiB. */
const runnerMb = 256;
/** The step's own clock ends it; this is for the case that it does not, seconds. */
const deadlineGraceSeconds = 60;
const defaultLeaseMs = 30_000;
const podFolder = '/var/run/millrace';
const uid = 1_000;

/** What this executor takes from the settings of a task. */
interface Asked {
  readonly resources?: {
    readonly cpu?: number;
    readonly memoryMb?: number;
    readonly gpu?: number;
    readonly diskMb?: number;
  };
  readonly image?: string;
  readonly compute?: string;
  readonly secrets?: Readonly<Record<string, { readonly provider: string; readonly key: string }>>;
}

export function askedOf(work: TaskWork): Asked {
  return JSON.parse(work.settings ?? '{}') as Asked;
}

/** Follows from run, task, attempt and dispatch, so that one who does not know whether he made it finds it. */
export function jobName({ runId, taskId, attempt, dispatch = 1 }: TaskWork): string {
  const readable = taskId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 30);
  const derived = hashOf('sha256', [runId, taskId, attempt, dispatch].join('\u0000'), 'hex').slice(0, 20);
  return `mr-${readable === '' ? 'step' : readable}-${derived}`.replaceAll('--', '-');
}

export function gangAddress(work: TaskWork, { namespace }: Pick<JobSettings, 'namespace'>): string {
  return `${jobName(work)}.${gangService}.${namespace}:${gangPort}`;
}

/** Fits what Kubernetes takes as the value of a label; the whole text is an annotation. */
export function labelValue(text: string): string {
  if (/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(text)) return text;
  const kept = text
    .replaceAll(/[^-A-Za-z0-9_.]/g, '_')
    .replaceAll(/^[^A-Za-z0-9]+/g, '')
    .slice(0, 50);
  return `${kept}${kept === '' ? '' : '.'}${hashOf('sha256', text, 'hex').slice(0, 8)}`;
}

/**
 * One pod, never replaced: another attempt is for the platform to decide. Values of secrets are nowhere in it, nor is the work itself:
 * the pod asks the worker for it, and shows the token that the cluster gives it.
 */
export function jobOf(work: TaskWork, settings: JobSettings): V1Job {
  const { resources = {}, image = settings.image } = askedOf(work);
  const { cpu, gpu, diskMb, memoryMb = settings.memoryMb } = resources;
  const name = jobName(work);
  const labels = labelsOf(work, settings);
  const amounts: Record<string, string> = {
    memory: `${memoryMb + runnerMb}Mi`,
    ...(cpu === undefined ? {} : { cpu: String(cpu) }),
    ...(gpu === undefined ? {} : { [settings.gpuResource]: String(gpu) }),
    ...(diskMb === undefined ? {} : { 'ephemeral-storage': `${diskMb}Mi` }),
  };
  const lastsSeconds = Math.ceil((work.timeoutMs + settings.pendingMs) / 1_000) + deadlineGraceSeconds;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace: settings.namespace,
      labels,
      annotations: {
        [holderAnnotation]: work.holder ?? '',
        'millrace.dev/run': work.runId,
        'millrace.dev/task': work.taskId,
      },
    },
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 0,
      // a pod that is being ended counts as running: never two at once
      podReplacementPolicy: 'Failed',
      activeDeadlineSeconds: lastsSeconds,
      ttlSecondsAfterFinished: settings.ttlSeconds,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: settings.serviceAccount,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 10,
          nodeSelector: { ...settings.nodeSelector },
          tolerations: settings.tolerations.map((toleration) => ({ ...toleration })),
          ...(work.gang === undefined || work.gang === null ? {} : { hostname: name, subdomain: gangService }),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: uid,
            runAsGroup: uid,
            fsGroup: uid,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: containerName,
              image,
              command: ['millrace', 'step-pod'],
              workingDir: `${podFolder}/work`,
              env: environmentOf(work, settings),
              resources: { requests: amounts, limits: amounts },
              terminationMessagePath: `${podFolder}/outcome`,
              terminationMessagePolicy: 'File',
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              volumeMounts: [
                { name: 'work', mountPath: `${podFolder}/work` },
                { name: 'identity', mountPath: `${podFolder}/identity`, readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: 'work', emptyDir: diskMb === undefined ? {} : { sizeLimit: `${diskMb}Mi` } },
            {
              name: 'identity',
              projected: {
                sources: [
                  { serviceAccountToken: { audience: tokenAudience, expirationSeconds: 3_600, path: 'token' } },
                ],
              },
            },
          ],
        },
      },
    },
  };
}

function labelsOf(work: TaskWork, { worker, compute: served }: JobSettings): Record<string, string> {
  const { flow, runId, step, taskId, attempt } = work;
  const { compute = served } = askedOf(work);
  const said = { run: runId, flow, step, task: taskId, attempt: String(attempt), compute, worker };
  return {
    'app.kubernetes.io/name': 'millrace-step',
    'app.kubernetes.io/part-of': 'millrace',
    'app.kubernetes.io/managed-by': 'millrace',
    ...Object.fromEntries(Object.entries(said).map(([name, value]) => [`millrace.dev/${name}`, labelValue(value)])),
  };
}

function environmentOf(work: TaskWork, { doorUrl }: JobSettings): V1EnvVar[] {
  const secrets = Object.entries(clusterSecrets(work)).map(
    ([variable, { secret, key }]): V1EnvVar => ({ name: variable, valueFrom: { secretKeyRef: { name: secret, key } } }),
  );
  return [
    { name: 'MILLRACE_STEP_DOOR', value: doorUrl },
    { name: 'MILLRACE_STEP_TOKEN_FILE', value: `${podFolder}/identity/token` },
    { name: 'MILLRACE_STEP_LEASE_MS', value: String(work.leaseMs ?? defaultLeaseMs) },
    { name: 'MILLRACE_STEP_OUTCOME_FILE', value: `${podFolder}/outcome` },
    ...secrets,
  ];
}

/** Secrets of the provider `kubernetes`, by the variable of the container: the step's child does not inherit it under that name. */
function clusterSecrets(work: TaskWork): Readonly<Record<string, { readonly secret: string; readonly key: string }>> {
  const { secrets = {} } = askedOf(work);
  return Object.fromEntries(
    Object.entries(secrets).flatMap(([name, { provider, key }]) => {
      if (provider !== 'kubernetes') return [];
      const [secret = '', inside = '', ...more] = key.split('/');
      if (secret === '' || inside === '' || more.length > 0)
        throw new MillraceError('INVALID_ARGUMENT', `secret '${name}': key '${key}' is not '<secret>/<key>'`);
      return [[secretVariable(name), { secret, key: inside }]];
    }),
  );
}

/** In the pod these secrets are variables: so they are read, and masked, as on any worker. */
export function settingsInPod(work: TaskWork): string {
  const settings = JSON.parse(work.settings ?? '{}') as Record<string, unknown> & Asked;
  const { secrets } = settings;
  if (secrets === undefined) return JSON.stringify(settings);
  const there = Object.entries(secrets).map(([name, source]) => [
    name,
    source.provider === 'kubernetes' ? { provider: 'env', key: secretVariable(name) } : source,
  ]);
  return JSON.stringify({ ...settings, secrets: Object.fromEntries(there) as unknown });
}

function secretVariable(name: string): string {
  return `MILLRACE_SECRET_${name}`;
}
