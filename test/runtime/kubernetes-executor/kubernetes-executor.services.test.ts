import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as k8s from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterWatch } from '../../../runtime/adapters/kubernetes-executor/cluster-watch.ts';
import { jobName } from '../../../runtime/adapters/kubernetes-executor/job-spec.ts';
import type { KubernetesExecutorOptions } from '../../../runtime/adapters/kubernetes-executor/kubernetes-options.ts';
import type { TaskExecutor, TaskListener, TaskOutcome, TaskWork } from '../../../runtime/ports/index.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { compiledFile } from '../../compiled.ts';
import { scratch, work as workOf } from '../../conformance/task-executor/suite.ts';
import { serviceAddress } from '../../services/service-address.ts';
import { type KubeBench, openKubeBench } from './kube-bench.ts';
import { TcpProxy } from './tcp-proxy.ts';

const kube = serviceAddress('MILLRACE_TEST_KUBECONFIG', 'kube-up.sh');

let cluster: KubeBench;
let executor: TaskExecutor;
const config = new k8s.KubeConfig();
let batch: k8s.BatchV1Api;
let tasks = 0;

beforeAll(async () => {
  if (kube.missing) return;
  cluster = await openKubeBench(kube.address);
  executor = await cluster.executor();
  config.loadFromFile(kube.address);
  batch = config.makeApiClient(k8s.BatchV1Api);
});

afterAll(() => cluster?.close());

/** Work under a task id of its own. */
function work(step: string, more: Partial<TaskWork> = {}): TaskWork {
  return { ...workOf(cluster.bench, step, more), taskId: `${step}.${++tasks}`, settings: '{}', ...more };
}

/** A step that runs until its file is there. */
function waiting(more: Partial<TaskWork> = {}): { readonly task: TaskWork; go(): void } {
  const path = scratch('go');
  const task = work('waits', { parameters: JSON.stringify({ path }), ...more });
  return { task, go: () => writeFileSync(path, '') };
}

async function failure(outcome: Promise<TaskOutcome>): Promise<Extract<TaskOutcome, { type: 'failed' }>> {
  const said = await outcome;
  if (said.type !== 'failed') throw new Error('expected a failure, got a completion');
  return said;
}

async function running({ taskId }: TaskWork): Promise<string> {
  return await eventually('its pod runs', () => cluster.kubelet.podOf(taskId), 30_000);
}

/** Hears the lines of a log. */
function hearing(lines: string[]): TaskListener {
  return { line: (line) => void lines.push(line), card: () => undefined, checkpoint: () => Promise.resolve() };
}

async function logOf(outcome: TaskOutcome): Promise<string> {
  return outcome.logs === undefined ? '' : (await cluster.bench.blobs.get(outcome.logs.hash)).toString('utf8');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function killed(worker: ChildProcess): Promise<void> {
  worker.kill('SIGKILL');
  await new Promise((resolve) => worker.once('exit', resolve));
}

/** A worker in a process of its own, with the task begun. */
function startedElsewhere(task: TaskWork, options: Omit<KubernetesExecutorOptions, 'blobs' | 'warn'>) {
  const script = compiledFile(new URL('./executor-process.ts', import.meta.url));
  const given = JSON.stringify({ blobs: cluster.blobDirectory, options, work: task });
  return spawn(process.execPath, [script, given], { stdio: ['ignore', 'inherit', 'inherit'] });
}

describe.skipIf(kube.missing)('the Job of a step', () => {
  it('asks for what the step asks for, is labelled with what it is for, and is never replaced', async () => {
    const settings = JSON.stringify({
      resources: { cpu: 2, memoryMb: 512, gpu: 1, diskMb: 100 },
      image: 'own:1',
      compute: 'gpu',
    });
    const gpu = await cluster.executor({
      compute: 'gpu',
      nodeSelector: { pool: 'none' },
      tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }],
    });
    const task = work('values', { settings, attempt: 2, runId: 'run/with odd:name', timeoutMs: 90_000 });
    const handle = gpu.start(task);
    const job = await eventually('the Job is there', async () =>
      batch.readNamespacedJob({ name: jobName(task), namespace: cluster.namespace }).catch(() => undefined),
    );
    const pod = job.spec?.template.spec;
    expect(pod?.containers[0]?.resources?.limits).toEqual({
      cpu: '2',
      memory: '768Mi',
      'nvidia.com/gpu': '1',
      'ephemeral-storage': '100Mi',
    });
    expect(pod?.containers[0]?.image).toBe('own:1');
    expect(pod?.nodeSelector).toEqual({ pool: 'none' });
    expect(pod?.tolerations).toContainEqual({ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' });
    expect(job.metadata?.labels).toMatchObject({
      'millrace.dev/step': 'values',
      'millrace.dev/attempt': '2',
      'millrace.dev/compute': 'gpu',
      'millrace.dev/flow': 'conformance',
    });
    expect(job.metadata?.labels?.['millrace.dev/run']).toMatch(/^run_with_odd_name\.[0-9a-f]{8}$/);
    expect(job.metadata?.annotations?.['millrace.dev/run']).toBe('run/with odd:name');
    expect(job.spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 210, ttlSecondsAfterFinished: 60 });
    expect(pod?.automountServiceAccountToken).toBe(false);
    handle.cancel('enough');
    await handle.outcome;
    await eventually('the Job is gone', async () =>
      batch.readNamespacedJob({ name: jobName(task), namespace: cluster.namespace }).then(
        () => false,
        () => true,
      ),
    );
  });

  it('gives a secret by reference, masks it in the log, and says which one is missing', async () => {
    await cluster.kubelet.core.createNamespacedSecret({
      namespace: cluster.namespace,
      body: { metadata: { name: 'vault' }, stringData: { token: 'hush-hush' } },
    });
    const secret = (key: string): string =>
      JSON.stringify({ secrets: { SECRET: { provider: 'kubernetes', key } }, environment: { OTHER: 'seen' } });
    const task = work('tells', { settings: secret('vault/token') });
    const outcome = await executor.start(task).outcome;
    expect(outcome.type).toBe('completed');
    expect(await logOf(outcome)).toContain('the secret is ***');
    const job = await batch.readNamespacedJob({ name: jobName(task), namespace: cluster.namespace });
    expect(JSON.stringify(job)).not.toContain('hush-hush');
    const missing = await failure(executor.start(work('tells', { settings: secret('vault/other') })).outcome);
    expect(missing).toMatchObject({ kind: 'user', message: expect.stringContaining('other') as string });
    const wrong = await failure(executor.start(work('tells', { settings: secret('vault') })).outcome);
    expect(wrong).toMatchObject({ kind: 'user', final: true });
    expect(wrong.message).toBe("secret 'SECRET': key 'vault' is not '<secret>/<key>'");
  });

  it('works with a token that lets it do its own task and nothing else', async () => {
    const { task, go } = waiting();
    const handle = executor.start(task);
    const name = await running(task);
    const { blobs } = cluster.bench;
    const { hash } = await blobs.put(Buffer.from('of somebody else'));
    const job = await batch.readNamespacedJob({ name: jobName(task), namespace: cluster.namespace });
    const [{ env = [] } = {}] = job.spec?.template.spec?.containers ?? [];
    const door = env.find((variable) => variable.name === 'MILLRACE_STEP_DOOR')?.value ?? '';
    const { metadata } = await cluster.kubelet.core.readNamespacedPod({ name, namespace: cluster.namespace });
    const tokenFor = async (audience: string): Promise<string> => {
      const { status } = await cluster.kubelet.core.createNamespacedServiceAccountToken({
        namespace: cluster.namespace,
        name: 'millrace-step',
        body: {
          spec: {
            audiences: [audience],
            boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid: metadata?.uid ?? '' },
          },
        },
      });
      return status?.token ?? '';
    };
    const ask = async (path: string, token: string): Promise<number> =>
      (await fetch(`${door}${path}`, { headers: { authorization: `Bearer ${token}` } })).status;
    const token = await tokenFor('millrace-step');
    expect(await ask('/work', token)).toBe(200);
    expect(await ask(`/blobs/${cluster.bench.bundleHash}`, token)).toBe(200);
    expect(await ask(`/blobs/${hash}`, token)).toBe(403);
    expect(await ask('/work', await tokenFor('https://kubernetes.default.svc'))).toBe(401);
    expect(await ask('/work', `${token.slice(0, -8)}AAAAAAAA`)).toBe(401);
    go();
    expect((await handle.outcome).type).toBe('completed');
    expect(await ask('/work', token)).toBe(409);
  });
});

describe.skipIf(kube.missing)('what the cluster does to a step is said as what it is', () => {
  it('out of memory', async () => {
    const { task } = waiting();
    const lines: string[] = [];
    const handle = executor.start(task, hearing(lines));
    await running(task);
    await eventually('its log was heard', () => lines.some((line) => line.includes('waiting')), 20_000);
    cluster.kubelet.end(task.taskId, { container: { reason: 'OOMKilled', exitCode: 137 } });
    const outcome = await failure(handle.outcome);
    expect(outcome.kind).toBe('killed');
    expect(outcome.message).toContain('the step ran out of memory: its limit is 300 MiB');
    // what it wrote before is not lost
    expect(await logOf(outcome)).toContain('waiting');
  });

  it('evicted by its node', async () => {
    const { task } = waiting();
    const handle = executor.start(task);
    await running(task);
    const pod = { reason: 'Evicted', message: 'The node was low on resource: memory.' };
    cluster.kubelet.end(task.taskId, { pod });
    expect(await failure(handle.outcome)).toMatchObject({
      kind: 'platform',
      message: expect.stringMatching(/was evicted from node-\d: The node was low on resource: memory/) as string,
    });
  });

  it('its node is gone', async () => {
    const { task } = waiting();
    const handle = executor.start(task);
    const name = await running(task);
    cluster.kubelet.freeze(task.taskId);
    const { core } = cluster.kubelet;
    const { spec } = await core.readNamespacedPod({ name, namespace: cluster.namespace });
    const taint = async (taints: readonly k8s.V1Taint[]): Promise<void> => {
      await core.patchNode(
        { name: spec?.nodeName ?? '', body: { spec: { taints } } },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
      );
    };
    await taint([{ key: 'gone', value: 'yes', effect: 'NoExecute' }]);
    try {
      const outcome = await failure(handle.outcome);
      expect(outcome.kind).toBe('platform');
      expect(outcome.message).toMatch(/^node node-\d of pod \S+ is gone: /);
    } finally {
      await taint([]);
    }
  });

  it('silent', async () => {
    const impatient = await cluster.executor({ silentMs: 8_000 });
    const { task } = waiting();
    const handle = impatient.start(task);
    await running(task);
    cluster.kubelet.freeze(task.taskId);
    expect(await failure(handle.outcome)).toMatchObject({
      kind: 'platform',
      message: expect.stringMatching(/^pod \S+ on node node-\d was silent for \d+ ms$/) as string,
    });
  });

  it('its pod, or its Job, was deleted by hand', async () => {
    const [first, second] = [waiting(), waiting()];
    const handles = [executor.start(first.task), executor.start(second.task)] as const;
    const name = await running(first.task);
    await running(second.task);
    await cluster.kubelet.core.deleteNamespacedPod({ name, namespace: cluster.namespace });
    await batch.deleteNamespacedJob({
      name: jobName(second.task),
      namespace: cluster.namespace,
      propagationPolicy: 'Background',
    });
    expect(await failure(handles[0].outcome)).toMatchObject({
      kind: 'platform',
      message: expect.stringMatching(/^pod \S+ was deleted while the step ran on node-\d$/) as string,
    });
    expect(await failure(handles[1].outcome)).toMatchObject({
      kind: 'platform',
      message: `Job ${jobName(second.task)} was deleted by somebody while the step ran`,
    });
    expect(cluster.kubelet.begun(first.task.taskId)).toBe(1);
  });

  it('longer than the cluster lets it', async () => {
    const { task } = waiting();
    const handle = executor.start(task);
    await running(task);
    await batch.patchNamespacedJob(
      { name: jobName(task), namespace: cluster.namespace, body: { spec: { activeDeadlineSeconds: 1 } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    );
    expect((await failure(handle.outcome)).kind).toBe('timeout');
  });

  it('an image that is not there: of the step its own fault, else the platform’s', async () => {
    const own = executor.start(work('values', { settings: JSON.stringify({ image: 'nowhere:1' }) }));
    expect(await failure(own.outcome)).toMatchObject({
      kind: 'user',
      message: expect.stringContaining("image 'nowhere:1' cannot be had (ImagePullBackOff)") as string,
    });
    const other = await cluster.executor({ image: 'nowhere:2' });
    expect((await failure(other.start(work('values')).outcome)).kind).toBe('platform');
  });

  it('no node takes it', async () => {
    const placed = await cluster.executor({ nodeSelector: { pool: 'none' }, pendingMs: 20_000 });
    const outcome = await failure(placed.start(work('values')).outcome);
    expect(outcome.kind).toBe('platform');
    expect(outcome.message).toMatch(/waited \d+ s and was not begun: no node takes pod .*node affinity\/selector/);
  });

  it('a quota is used up, of pods or of Jobs', async () => {
    const { core } = cluster.kubelet;
    const quota = async (hard: Record<string, string>): Promise<void> => {
      const name = Object.keys(hard)[0]?.replaceAll(/[^a-z]/g, '-') ?? '';
      await core.createNamespacedResourceQuota({
        namespace: cluster.namespace,
        body: { metadata: { name }, spec: { hard } },
      });
      await eventually('the quota is in force', async () => {
        const { status } = await core.readNamespacedResourceQuota({ name, namespace: cluster.namespace });
        return status?.used !== undefined;
      });
    };
    const impatient = await cluster.executor({ pendingMs: 20_000 });
    try {
      await quota({ pods: '0' });
      const pods = await failure(impatient.start(work('values')).outcome);
      expect(pods).toMatchObject({ kind: 'platform', message: expect.stringContaining('exceeded quota') as string });
      await quota({ 'count/jobs.batch': '0' });
      const jobs = await failure(impatient.start(work('values')).outcome);
      expect(jobs).toMatchObject({ kind: 'platform', message: expect.stringContaining('exceeded quota') as string });
      expect(jobs.message).toContain(`the quota of ${cluster.namespace} is used up`);
    } finally {
      await core.deleteCollectionNamespacedResourceQuota({ namespace: cluster.namespace });
    }
  });

  it('an admission policy denies it: asking again is no use', async () => {
    const admission = config.makeApiClient(k8s.AdmissionregistrationV1Api);
    const name = `${cluster.namespace}-images`;
    const rule = { apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'] };
    await admission.createValidatingAdmissionPolicy({
      body: {
        metadata: { name },
        spec: {
          matchConstraints: { resourceRules: [rule] },
          validations: [
            {
              expression: "object.spec.template.spec.containers.all(c, c.image != 'forbidden:1')",
              message: 'images come from our own registry',
            },
          ],
        },
      },
    });
    const namespaces = { matchLabels: { 'kubernetes.io/metadata.name': cluster.namespace } };
    await admission.createValidatingAdmissionPolicyBinding({
      body: {
        metadata: { name },
        spec: { policyName: name, validationActions: ['Deny'], matchResources: { namespaceSelector: namespaces } },
      },
    });
    try {
      const settings = JSON.stringify({ image: 'forbidden:1' });
      const denied = await eventually(
        'the policy is in force',
        async () => {
          const outcome = await failure(executor.start(work('values', { settings })).outcome);
          return outcome.message.includes('our own registry') ? outcome : undefined;
        },
        40_000,
      );
      expect(denied).toMatchObject({ kind: 'user', final: true });
    } finally {
      await admission.deleteValidatingAdmissionPolicyBinding({ name });
      await admission.deleteValidatingAdmissionPolicy({ name });
    }
  });
});

describe.skipIf(kube.missing)('a worker of Kubernetes that dies', () => {
  it('finds its Job again and goes on with it: no second pod is begun', async () => {
    const { task, go } = waiting({ holder: 'incarnation-1', leaseMs: 60_000 });
    const options = cluster.options({ doorPort: await freePort() });
    const worker = startedElsewhere(task, options);
    await running(task);
    await killed(worker);
    const successor = await cluster.executor(options);
    const adopted = successor.adopt?.(task);
    // one that died between making the Job and noting it starts it once more
    const again = successor.start(task);
    go();
    expect((await adopted?.outcome)?.type).toBe('completed');
    expect((await again.outcome).type).toBe('completed');
    expect(cluster.kubelet.begun(task.taskId)).toBe(1);
    const stranger = await failure(successor.start({ ...task, holder: 'incarnation-2' }).outcome);
    expect(stranger.message).toContain("belongs to 'incarnation-1'");
  });

  it('learns what became of a step that ended while it was away', async () => {
    const { task, go } = waiting({ holder: 'incarnation-1', leaseMs: 60_000 });
    const options = cluster.options({ doorPort: await freePort() });
    const first = startedElsewhere(task, options);
    const name = await running(task);
    cluster.kubelet.end(task.taskId, { pod: { reason: 'Evicted', message: 'while nobody looked' } });
    await killed(first);
    await eventually('the pod has failed', async () => {
      const { status } = await cluster.kubelet.core.readNamespacedPod({ name, namespace: cluster.namespace });
      return status?.phase === 'Failed';
    });
    const successor = await cluster.executor(options);
    const outcome = await successor.adopt?.(task).outcome;
    expect(outcome).toMatchObject({ kind: 'platform', message: expect.stringContaining('evicted') as string });
    go();
  });

  it('says that it is lost when there was no Job yet', async () => {
    const outcome = await failure((await cluster.executor()).adopt?.(work('values')).outcome as Promise<TaskOutcome>);
    expect(outcome).toMatchObject({
      kind: 'lost',
      message: expect.stringContaining('before there was a Job') as string,
    });
  });

  it('and does not come back: its pods end by themselves when the lease is over', async () => {
    const { task } = waiting({ leaseMs: 2_000 });
    const worker = startedElsewhere(task, cluster.options({ doorPort: await freePort() }));
    const name = await running(task);
    await killed(worker);
    await eventually(
      'the pod has ended',
      async () => {
        const { status } = await cluster.kubelet.core.readNamespacedPod({ name, namespace: cluster.namespace });
        return status?.phase === 'Failed';
      },
      30_000,
    );
  });
});

/** Begins as an API server answers that has forgotten the version asked for; then it is the real one. */
class ForgetfulWatch extends k8s.Watch {
  #forgot = false;

  override async watch(...[path, query, event, done]: Parameters<k8s.Watch['watch']>): Promise<AbortController> {
    if (this.#forgot) return await super.watch(path, query, event, done);
    this.#forgot = true;
    const status = {
      kind: 'Status',
      status: 'Failure',
      reason: 'Expired',
      code: 410,
      message: 'too old resource version',
    };
    event('ERROR', status);
    done(null);
    return new AbortController();
  }
}

describe.skipIf(kube.missing)('an API server that is away', () => {
  it('is waited for, by what is to be begun and by what runs', async () => {
    const port = Number(new URL(config.getCurrentCluster()?.server ?? '').port);
    const proxy = new TcpProxy(port);
    const kubeconfig = join(cluster.blobDirectory, '..', 'kubeconfig');
    writeFileSync(kubeconfig, readFileSync(kube.address, 'utf8').replace(`:${port}"`, `:${await proxy.listen()}"`));
    try {
      const behind = await cluster.executor({ kubeconfig });
      const { task, go } = waiting();
      const lines: string[] = [];
      const runs = behind.start(task, hearing(lines));
      await eventually('its step runs', () => lines.length > 0, 30_000);
      cluster.warnings.length = 0;
      proxy.cut();
      go();
      expect((await runs.outcome).type).toBe('completed');
      const begun = behind.start(work('values'));
      await eventually('the outage was noticed', () =>
        cluster.warnings.some((warning) => warning.includes('was not heard')),
      );
      proxy.mend();
      expect((await begun.outcome).type).toBe('completed');
      proxy.cut();
      const impatient = await cluster.executor({ kubeconfig, unreachableMs: 1_000 });
      const never = await failure(impatient.start(work('values')).outcome);
      expect(never.kind).toBe('platform');
      expect(never.message).toMatch(/^the API server cannot be reached since \d+ ms: /);
      proxy.mend();
    } finally {
      proxy.close();
      rmSync(kubeconfig);
    }
  });

  it('and remembers less than the watch does (410): all is listed again, and what went meanwhile is told', async () => {
    const { core } = cluster.kubelet;
    const { namespace } = cluster;
    const labelSelector = 'watched=yes';
    const make = async (name: string): Promise<void> => {
      await core.createNamespacedPod({
        namespace,
        body: {
          metadata: { name, labels: { watched: 'yes' } },
          spec: {
            serviceAccountName: 'millrace-step',
            schedulingGates: [{ name: 'test/never' }],
            containers: [{ name: 'c', image: 'own:1' }],
          },
        },
      });
    };
    await make('first');
    const [seen, gone]: [string[], string[]] = [[], []];
    let lists = 0;
    const watch = new ClusterWatch<k8s.V1Pod>({
      watch: new ForgetfulWatch(config),
      path: `/api/v1/namespaces/${namespace}/pods`,
      labelSelector,
      list: async () => {
        lists += 1;
        const list = await core.listNamespacedPod({ namespace, labelSelector });
        if (lists > 1) return list;
        // before the watch begins, the pod goes
        await core.deleteNamespacedPod({ name: 'first', namespace, body: { gracePeriodSeconds: 0 } });
        await make('second');
        return list;
      },
      changed: ({ metadata }) => void seen.push(metadata?.name ?? ''),
      gone: ({ metadata }) => void gone.push(metadata?.name ?? ''),
      warn: () => undefined,
    });
    await eventually('it has listed again', () => gone.includes('first') && seen.includes('second'));
    expect(lists).toBe(2);
    await make('third');
    await eventually('it watches on', () => seen.includes('third'));
    watch.close();
  });
});
