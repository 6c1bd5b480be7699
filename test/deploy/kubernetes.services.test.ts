import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as k8s from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { work } from '../conformance/task-executor/suite.ts';
import { type KubeBench, openKubeBench } from '../runtime/kubernetes-executor/kube-bench.ts';
import { serviceAddress } from '../services/service-address.ts';

const kube = serviceAddress('MILLRACE_TEST_KUBECONFIG', 'kube-up.sh');
const tools = serviceAddress('MILLRACE_TEST_KUBE_TOOLS', 'kube-up.sh');
const missing = kube.missing || tools.missing;
const file = fileURLToPath(new URL('../../deploy/kubernetes/millrace.yaml', import.meta.url));
const namespace = 'millrace';
const account = `system:serviceaccount:${namespace}:millrace-worker`;

const config = new k8s.KubeConfig();
let cluster: KubeBench | undefined;

function kubectl(...args: readonly string[]): string {
  return execFileSync(tools.address, ['kubectl', '--kubeconfig', kube.address, ...args], { encoding: 'utf8' });
}

beforeAll(() => {
  if (!missing) config.loadFromFile(kube.address);
});

afterAll(async () => {
  await cluster?.close();
  if (!missing) kubectl('delete', '-f', file, '--ignore-not-found', '--wait=false');
});

describe.skipIf(missing)('deploy/kubernetes/millrace.yaml', () => {
  it('is taken whole by an API server that is strict about fields', () => {
    const said = kubectl('apply', '--validate=strict', '-f', file).trim().split('\n');
    expect(said.every((line) => / (created|configured|unchanged)$/.test(line))).toBe(true);
    expect(said.filter((line) => line.startsWith('statefulset.apps/')).length).toBe(3);
    // and once more: nothing of it is changed by the server
    expect(kubectl('diff', '-f', file)).toBe('');
  });

  it('lets the worker do what it does, and no more', async () => {
    const authorization = config.makeApiClient(k8s.AuthorizationV1Api);
    const may = async (verb: string, what: string): Promise<boolean> => {
      const [, group = '', resource = '', subresource] = /^(?:(.+):)?([^/]+)(?:\/(.+))?$/.exec(what) ?? [];
      const resourceAttributes = {
        ...{ namespace, verb, group, resource },
        ...(subresource === undefined ? {} : { subresource }),
      };
      const { status } = await authorization.createSubjectAccessReview({
        body: { spec: { user: account, resourceAttributes } },
      });
      return status?.allowed === true;
    };
    const asked = ['create', 'get', 'list', 'watch', 'delete', 'update', 'patch', 'deletecollection'];
    const rights: Record<string, readonly string[]> = {};
    const resources = ['batch:jobs', 'pods', 'pods/log', 'pods/exec', 'events', 'secrets', 'configmaps'];
    for (const what of [...resources, 'serviceaccounts/token', 'authentication.k8s.io:tokenreviews']) {
      const verbs = await Promise.all(asked.map((verb) => may(verb, what)));
      rights[what] = asked.filter((_, at) => verbs[at]);
    }
    expect(rights).toEqual({
      'batch:jobs': ['create', 'get', 'list', 'watch', 'delete'],
      pods: ['list', 'watch'],
      'pods/log': ['get'],
      'pods/exec': [],
      events: ['list'],
      secrets: [],
      configmaps: [],
      'serviceaccounts/token': [],
      'authentication.k8s.io:tokenreviews': ['create'],
    });
  });

  it('gives the worker enough: a step runs with its account', async () => {
    cluster = await openKubeBench(kube.address, namespace);
    const { status } = await cluster.kubelet.core.createNamespacedServiceAccountToken({
      namespace,
      name: 'millrace-worker',
      body: { spec: { audiences: ['https://kubernetes.default.svc'], expirationSeconds: 3_600 } },
    });
    const server = config.getCurrentCluster();
    const other = new k8s.KubeConfig();
    if (server !== null) other.loadFromClusterAndUser(server, { name: 'worker', token: status?.token ?? '' });
    const kubeconfig = join(cluster.blobDirectory, '..', 'kubeconfig');
    writeFileSync(kubeconfig, other.exportConfig());
    const executor = await cluster.executor({ kubeconfig });
    const outcome = await executor.start(work(cluster.bench, 'values')).outcome;
    expect(outcome.type).toBe('completed');
    expect(cluster.warnings).toEqual([]);
  });
});
