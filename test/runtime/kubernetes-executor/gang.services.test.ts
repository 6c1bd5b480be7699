/** A gang whose members are pods: the step worker, the executor and the cluster's own control plane, with the service that is deployed. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as k8s from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKubernetesExecutor } from '../../../runtime/adapters/kubernetes-executor/kubernetes-executor.ts';
import { FlowBench } from '../../flows/flow-bench.ts';
import { serviceAddress } from '../../services/service-address.ts';
import { type KubeBench, openKubeBench } from './kube-bench.ts';

const kube = serviceAddress('MILLRACE_TEST_KUBECONFIG', 'kube-up.sh');
const file = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

let cluster: KubeBench;
let flows: FlowBench;

beforeAll(async () => {
  if (kube.missing) return;
  cluster = await openKubeBench(kube.address);
  flows = await FlowBench.on((blobs) =>
    createKubernetesExecutor({ ...cluster.options({ slots: 4 }), blobs, warn: () => undefined }),
  );
});

afterAll(async () => {
  await flows?.close();
  await cluster?.close();
});

/** As `deploy/kubernetes/millrace.yaml` has it, in the namespace of the test. */
async function deployService(name: string): Promise<void> {
  const manifests = k8s.loadAllYaml(readFileSync(file('deploy/kubernetes/millrace.yaml'), 'utf8')) as k8s.V1Service[];
  const service = manifests.find(({ kind, metadata }) => kind === 'Service' && metadata?.name === name);
  if (service === undefined) throw new Error(`there is no service '${name}' in the manifests`);
  const { namespace } = cluster;
  const body = { ...service, metadata: { ...service.metadata, namespace } };
  await cluster.kubelet.core.createNamespacedService({ namespace, body });
}

describe.skipIf(kube.missing)('a gang on Kubernetes', () => {
  it('is a pod for each member: they know rank and size, and reach rank 0 by its name', async () => {
    await deployService('millrace-steps');
    const outcome = await flows.run(file('examples/shapes/gang.ts'), { ranks: 3 });
    expect(outcome.type, JSON.stringify(outcome.data)).toBe('run-completed');
    expect(await outcome.value('collect', 'ranks')).toEqual([0, 1, 2]);
    expect(await outcome.value('collect', 'sum')).toBe(3);
    for (const rank of [0, 1, 2]) expect(cluster.kubelet.begun(`train.${rank}.member`)).toBe(1);
    const addresses = outcome.events.flatMap((event) => (event.type === 'task-started' ? [event.data.address] : []));
    expect(addresses.filter((address) => address !== '')).toEqual([
      expect.stringMatching(new RegExp(`^mr-train-0-.*\\.millrace-steps\\.${cluster.namespace}:7401$`)),
    ]);
  });
});
