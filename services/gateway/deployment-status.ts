/** Whether a deployment can answer in this process, and what stands in the way. */
import type { Check, DeploymentStatus } from '../../schemas/api/deployments.ts';
import type { GatewayContext } from './gateway-context.ts';

/** undefined where no model server runs beside the gateway: this process cannot tell. */
export async function deploymentStatus(
  name: string,
  version: number,
  { options }: Pick<GatewayContext, 'options'>,
): Promise<Omit<DeploymentStatus, 'deployment' | 'version'> | undefined> {
  const { inference, runtime } = options;
  if (inference === undefined) return undefined;
  const tasks = runtime.stats().filter(({ task }) => /(^|[./])model-server\//.test(task));
  const away = tasks.filter(({ status }) => status !== 'running');
  const checks: readonly Check[] = [
    ...(await inference.readiness(name, version)),
    {
      check: 'the tasks of the model server run',
      problem: away.length === 0 ? null : away.map(({ task, status }) => `${task} is ${status}`).join(', '),
    },
    { check: 'the process has caught up with the log', problem: options.unready() ?? null },
  ];
  const reason = checks.find(({ problem }) => problem !== null)?.problem ?? null;
  return { ready: reason === null, reason, checks };
}
