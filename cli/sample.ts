import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { moduleForChild } from '../runtime/adapters/child-module.ts';
import type { Configuration } from '../runtime/config/settings.ts';
import { connect } from '../sdk/client/index.ts';
import { say } from './command.ts';
import { cyan, dim } from './ui/style.ts';

/** Deploys the diamonds sample on a running instance, unless it is there: flow, trigger, models, deployment. */
export async function deploySample(url: string, configuration: Configuration): Promise<void> {
  const flowFile = fileURLToPath(moduleForChild('examples/diamonds/flow').url);
  if (!existsSync(flowFile)) {
    say(dim('  the sample is not part of this package; deploy your own with `millrace deploy <file>`'));
    return;
  }
  const token = configuration['http.token'] === '' ? undefined : configuration['http.token'];
  const client = connect({ url, token });
  if ((await client.deployments.list()).some(({ deployment }) => deployment === 'diamonds')) {
    say(`  sample    ${cyan("millrace predict diamonds '[0.3, 4, 6, 4, 61.5, 55, 4.3, 4.3, 2.7]'")}`);
    return;
  }
  say(dim('  the sample is being trained …'));
  const { bundleFlow } = await import('../runtime/adapters/bundler/bundle-flow.ts');
  const { diamondsDeployment } = (await import(
    moduleForChild('examples/diamonds/deployment').url.href
  )) as typeof import('../examples/diamonds/deployment.ts');
  await client.flows.deploy(await bundleFlow(flowFile));
  await client.trigger('diamonds-arrived', {});
  const end = Date.now() + 120_000;
  for (;;) {
    const [run] = await client.runs.list({ flow: 'diamonds', limit: 1 });
    if (run?.status === 'failed')
      throw new Error(`the sample's run ${run.runId} failed: millrace runs show ${run.runId}`);
    if (run?.status === 'completed') {
      const { tasks } = (await client.runs.show(run.runId)) as unknown as {
        tasks: readonly { artifacts: readonly { name: string; hash: string }[] }[];
      };
      const reference = tasks.flatMap(({ artifacts }) => artifacts).find(({ name }) => name === 'reference');
      const aliases = await client.models.show('diamonds').then(
        (model) => model.aliases,
        () => ({}),
      );
      if (reference !== undefined && 'linear' in aliases && 'trees' in aliases) {
        await client.deploy(diamondsDeployment(reference.hash));
        say(`  sample    ${cyan("millrace predict diamonds '[0.3, 4, 6, 4, 61.5, 55, 4.3, 4.3, 2.7]'")}`);
        return;
      }
    }
    if (Date.now() > end) throw new Error('the sample was not trained within two minutes: see `millrace runs list`');
    await new Promise<void>((resolve) => setTimeout(resolve, 100));
  }
}
