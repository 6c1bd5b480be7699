/** Experiment 0, "Default", which is there for whoever names none. */
import type { FastifyInstance } from 'fastify';
import { hasCode } from '../../../runtime/ports/errors.ts';
import type { ExtensionParts } from '../../gateway/extension.ts';
import type { Tracking } from '../tracking.ts';

const id = '0';
/** A list of experiments is worth more at once and without it than late: where nobody serves `experiment-names`, nobody makes it. */
const readWaitMs = 1_000;
const askAgainMs = 30_000;

/** Makes it before the first call that may need it: one about experiments, or one that begins a run or model. */
export function withDefaultExperiment(app: FastifyInstance, tracking: Tracking, gateway: ExtensionParts): void {
  app.addHook('preHandler', async ({ method, routeOptions: { url = '', config } }) => {
    const begins = method === 'POST' && /\/mlflow\/(?:runs\/create|logged-models)$/.test(url);
    if (!begins && !url.includes('/mlflow/experiments/')) return;
    await (config.access === 'read' ? soon(tracking, gateway) : made(tracking, gateway));
  });
}

const makings = new WeakMap<Tracking, Promise<void>>();
const failedAt = new WeakMap<Tracking, number>();

/** Asking again is a repeat, and changes nothing. */
async function made(tracking: Tracking, gateway: ExtensionParts): Promise<void> {
  const known = makings.get(tracking);
  if (known !== undefined) {
    await known;
    return;
  }
  const making = make(tracking, gateway);
  makings.set(tracking, making);
  making.catch(() => {
    makings.delete(tracking);
    failedAt.set(tracking, tracking.runtime.parts.clock.now());
  });
  await making;
}

async function soon(tracking: Tracking, gateway: ExtensionParts): Promise<void> {
  const { clock } = tracking.runtime.parts;
  if (clock.now() - (failedAt.get(tracking) ?? 0) < askAgainMs) return;
  let cancel = (): void => undefined;
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(readWaitMs, resolve);
  });
  try {
    await Promise.race([made(tracking, gateway), late]);
  } catch (error) {
    if (!hasCode(error, 'TIMEOUT')) throw error;
  } finally {
    cancel();
  }
}

async function make(tracking: Tracking, { decisions }: ExtensionParts): Promise<void> {
  const database = await tracking.fresh('experiments');
  if ((await database.selectFrom('experiments').select('id').where('id', '=', id).executeTakeFirst()) !== undefined)
    return;
  const data = {
    experimentId: id,
    requestId: 'default',
    name: 'Default',
    artifactLocation: `mlflow-artifacts:/${id}`,
    tags: {},
    actor: 'millrace',
  };
  await decisions.ask('experiment-created', id, 'default', async () => {
    const eventId = 'experiment-default';
    await tracking.runtime.publish([
      { topic: 'experiments', type: 'experiment-requested', data, key: id, id: eventId },
    ]);
  });
}
