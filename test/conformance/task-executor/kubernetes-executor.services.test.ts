import { afterAll, beforeAll, describe, it } from 'vitest';
import { type KubeBench, openKubeBench } from '../../runtime/kubernetes-executor/kube-bench.ts';
import { serviceAddress } from '../../services/service-address.ts';
import { mutants } from './mutants.ts';
import { type Bench, cases } from './suite.ts';

const kube = serviceAddress('MILLRACE_TEST_KUBECONFIG', 'kube-up.sh');

let cluster: KubeBench;
let bench: Bench;

beforeAll(async () => {
  if (kube.missing) return;
  cluster = await openKubeBench(kube.address);
  bench = { ...cluster.bench, executor: await cluster.executor() };
});

afterAll(() => cluster?.close());

describe.skipIf(kube.missing)('TaskExecutor: Kubernetes Jobs', () => {
  for (const { name, run } of cases) it(name, () => run(bench));
});

describe.skipIf(kube.missing)('TaskExecutor on Kubernetes: each mutant turns its case red', () => {
  for (const { name, mutant, run } of cases) {
    it(`${mutant}: ${name}`, async () => {
      const broken = mutants[mutant];
      if (broken === undefined) throw new Error(`there is no mutant '${mutant}'`);
      const error = await run({ ...bench, executor: broken(bench), patienceMs: 15_000 }).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (error === undefined) throw new Error(`the case passes although the executor ${mutant}`);
    });
  }
});
