/**
 * The loop, from end to end, on the embedded log and nothing else: drift raises an alert, the alert starts the training flow, what it
 * registers is tried in the shadow and with a share of the traffic, a person approves, and it serves. Then a worse model is tried, and taken
 * back. Prints what happened and why, and checks what was promised; exit code 1 when a promise is broken.
 *
 * `--keep <directory>` keeps the data there. `--break worse-model` leaves out the criterion by which the worse model is taken back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { green, red } from '../../cli/ui/style.ts';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { connect } from '../../sdk/index.ts';
import { startPlatform } from '../../services/all-in-one/platform.ts';
import { until } from '../diamonds/demo/until.ts';
import { deliveryDeployment } from './deployment.ts';
import { model } from './flow.ts';
import { Story } from './story.ts';
import { Couriers } from './traffic.ts';

const { values: flags } = parseArgs({ options: { keep: { type: 'string' }, break: { type: 'string' } } });
if (flags.break !== undefined && flags.break !== 'worse-model')
  throw new Error(`--break takes worse-model, got '${flags.break}'`);
const directory = flags.keep ?? mkdtempSync(join(tmpdir(), 'millrace-retraining-'));
const platform = await startPlatform({
  configuration: resolveConfiguration({ environment: process.env, flags: { directory, 'http.port': '0' } }),
});
await platform.ready();
const { url } = platform;
const client = connect({ url, actor: 'ada' });
const reviewer = connect({ url, actor: 'grace' });
const story = await Story.follow(client);

story.act('1. A first model');
await client.flows.deploy(await bundleFlow(fileURLToPath(moduleForChild('examples/retraining/flow').url)));
await client.production.start(model);
await until('the first version', () => story.aliases.some(({ version }) => version === 1) || undefined, 60_000);
await client.models.setAlias(model, 'champion', 1);
await client.registry.protect(model, 'champion', { approval: true });
await client.deploy(deliveryDeployment(flags.break === undefined ? 30 : 0));
const couriers = new Couriers(client);
await until('250 deliveries', () => couriers.answered.length >= 250 || undefined, 120_000);
const alertsBefore = story.alerts.length;

story.act('2. A bridge is closed');
couriers.enter({ bridge: 'closed', seed: 8 });
const closedAt = couriers.answered.length;
const alert = await until('the alert', () => story.alerts[0], 120_000);
await until('the second version is proposed', () => story.proposals.includes(2) || undefined, 180_000);
const servedBefore = await client.models.show(model);
const asked = await until('the rollout says what it waits for', async () => {
  const rollout = await client.routing.rollout(model);
  return rollout.reason.includes('approve') ? rollout : undefined;
});
story.tell('it waits for somebody', asked.reason);
await reviewer.registry.approve(model, 'champion', 2);
await until('version 2 serves', () => couriers.answered.at(-1)?.modelVersion === 2 || undefined, 60_000);
await until('the alert is over', () => story.cleared.includes(alert.alertId) || undefined, 120_000);
const settledAt = couriers.answered.length;

story.act('3. A worse model is tried');
await client.production.start(model, { alpha: 50 });
const verdict = await until(
  'the rollout of version 3 is decided',
  () =>
    story.moves.findLast(
      ({ rollout, deploymentVersion }) =>
        deploymentVersion >= 4 && ['rolled-back', 'promoting'].includes(rollout.phase),
    ),
  180_000,
);
if (verdict.rollout.phase === 'promoting') {
  await until('version 3 is proposed', () => story.proposals.includes(3) || undefined);
  await reviewer.registry.approve(model, 'champion', 3);
}
await couriers.stop();

story.act('What was promised');
const after = await client.models.show(model);
const chain = (await client.explain(`${model}/2`)) as Explained;
const errorOf = (from: number, to: number): number => {
  const errors = couriers.answered.slice(from, to).map(({ error }) => error);
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
};
const before = couriers.answered.findIndex(({ modelVersion }) => modelVersion === 2);
const [errorClosed, errorSettled] = [errorOf(closedAt, before), errorOf(settledAt - 50, settledAt)];
const retrained = story.runs.filter(({ cause }) => cause.id === alert.alertId);
const shadowed = story.moves.find(
  ({ deploymentVersion, rollout }) => deploymentVersion === 2 && rollout.shadowPercent > 0,
);
const promises: readonly (readonly [what: string, kept: boolean, detail: string])[] = [
  ['no alert before the bridge was closed', alertsBefore === 0, `${closedAt} deliveries`],
  ['the alert started one run', retrained.length === 1, `run ${retrained[0]?.runId}`],
  ['the new version was in the shadow first', shadowed?.rollout.percent === 0, shadowed?.rollout.reason ?? ''],
  ['it did not serve before a second person approved', servedBefore.aliases['champion'] === 1, 'grace approved'],
  [
    'the estimates are good again',
    errorSettled < errorClosed / 2,
    `${errorClosed.toFixed(1)} minutes off before, ${errorSettled.toFixed(1)} after`,
  ],
  [
    'the outlier detector moved with the model',
    story.detectors.size === 2,
    [...story.detectors].map((hash) => hash.slice(0, 12)).join(', '),
  ],
  ['the worse model was taken back', after.aliases['champion'] === 2, verdict.rollout.reason],
  [
    'version 2 is explained down to the drift',
    chain.verified && chain.causes.some(({ kind, id }) => kind === 'drift' && id === alert.evidenceId),
    `${chain.causes.length} links, each verified`,
  ],
];
for (const [what, kept, detail] of promises) console.log(`${kept ? green('✔') : red('✘')} ${what} (${detail})`);
await story.close();
await platform.close();
if (flags.keep === undefined) rmSync(directory, { recursive: true, force: true });
else
  console.log(
    `\nnext: millrace explain ${model}/2 --directory ${directory}\n      millrace explain ${alert.alertId} --directory ${directory}`,
  );
process.exit(promises.every(([, kept]) => kept) ? 0 : 1);

interface Explained {
  readonly verified: boolean;
  readonly causes: readonly { readonly kind: string; readonly id: string; readonly verified: boolean }[];
}
