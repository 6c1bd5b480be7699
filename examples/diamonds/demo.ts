/**
 * The main job from end to end, on the embedded log and nothing else: a trigger starts a flow, the flow trains two models, both
 * are deployed as an A/B test, predictions and feedback are streamed, and every promise is checked. `npm run demo`.
 *
 * `--kafka <bootstrap>` runs the same on Kafka, Redis, S3 and a schema registry: at their usual loopback ports, or where MILLRACE_REDIS_URL,
 * MILLRACE_S3_ENDPOINT and MILLRACE_REGISTRY_URL say. Each run has topics of its own, under a prefix that it names. `--keep <directory>` keeps the data there.
 * `--break <promise>` breaks a promise on purpose, to show that the demo notices.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { say } from '../../cli/command.ts';
import { bold, cyan, dim, green, red } from '../../cli/ui/style.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import { connect } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { diamondKey, readDiamonds } from './data.ts';
import { checkPromises, type DemoFacts, watchMonitors } from './demo/checks.ts';
import {
  dropAnswer,
  flipBlob,
  forgeAuditLink,
  forgeReward,
  type Sabotage,
  sabotages,
  silenceMonitors,
} from './demo/sabotage.ts';
import { summary } from './demo/summary.ts';
import {
  deploymentName,
  futurePredictionId,
  readAnswers,
  streamFeedback,
  streamRequests,
  type Told,
} from './demo/traffic.ts';
import { until } from './demo/until.ts';
import { diamondsDeployment } from './deployment.ts';
import { encodeDiamond } from './features.ts';
import { splitDiamonds, streamRows } from './split.ts';

const { values: flags } = parseArgs({
  options: {
    kafka: { type: 'string' },
    keep: { type: 'string' },
    break: { type: 'string' },
    rows: { type: 'string' },
    seed: { type: 'string' },
  },
});
const began = performance.now();
const seed = Number(flags.seed ?? 40);
const generalRows = Number(flags.rows ?? 9_000);
const shiftedRows = 1_500;
/** Short, so that late feedback can be shown. */
const feedbackWindowMs = 12_000;
const chunkRows = 1_500;
const directory = flags.keep ?? '.millrace/demo';
const broken = flags.break === undefined ? undefined : sabotageNamed(flags.break);
rmSync(directory, { recursive: true, force: true });

/** What other commands need to be told to see the same platform. */
const profile: Readonly<Record<string, string>> =
  flags.kafka === undefined
    ? {}
    : {
        profile: 'cluster',
        'kafka.bootstrap': flags.kafka,
        'kafka.prefix': process.env['MILLRACE_KAFKA_PREFIX'] ?? `demo-${Date.now().toString(36)}.`,
      };
const profileArguments = Object.entries(profile).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
if (broken === 'blob-flipped' && flags.kafka !== undefined) {
  stop(new MillraceError('INVALID_ARGUMENT', '--break blob-flipped reaches into files: it goes without --kafka'));
}

const platform = await startPlatform({
  configuration: resolveConfiguration({
    environment: process.env,
    flags: { directory, 'http.port': '0', 'feedback.wait_ms': String(feedbackWindowMs), ...profile },
  }),
}).catch(stop);
await platform.ready();
step(
  'The platform is up',
  `one process, ${flags.kafka === undefined ? `embedded log in ${directory}` : `Kafka at ${flags.kafka}, topics ${profile['kafka.prefix']}*`}`,
);
const client = connect({ url: platform.url });

// 1. A trigger starts the deployed flow.
const flowFile = fileURLToPath(moduleForChild('examples/diamonds/flow').url);
const deployedFlow = await client.flows.deploy(await bundleFlow(flowFile));
await client.trigger('diamonds-arrived', { seed });
const runId = await until(
  'the trigger has started a run',
  async () => (await client.runs.list({ flow: 'diamonds' }))[0]?.runId,
);
step('A trigger started the flow', `run ${runId} of diamonds v${deployedFlow.version}`);
const run = await until(
  'the run has ended',
  async () => {
    const shown = (await client.runs.show(runId)) as Awaited<ReturnType<typeof client.runs.show>> & {
      failure: string | null;
      tasks: readonly ShownTask[];
    };
    if (shown.status === 'failed') throw new Error(`the run failed: ${shown.failure}`);
    return shown.status === 'completed' ? shown : undefined;
  },
  120_000,
);
const { versions } = await until('both versions are registered', async () => {
  const shown = await client.models.show(deploymentName).catch(() => undefined);
  return shown !== undefined && 'linear' in shown.aliases && 'trees' in shown.aliases ? shown : undefined;
});
const trained = versions.map(({ version, tags, metrics }) => ({
  version,
  family: tags['family'] ?? '',
  rmse: metrics['rmse'] ?? 0,
  baseline: metrics['baseline_rmse'] ?? 0,
}));
step(
  'Two models are registered',
  `${run.tasks.length} steps in ${(((run.endedAt ?? 0) - run.startedAt) / 1000).toFixed(1)} s: ${trained.map(({ family, rmse }) => `${family} RMSE $${rmse.toFixed(0)}`).join(', ')}`,
);

// 2. Both behind one endpoint.
const reference = run.tasks.flatMap(({ artifacts }) => artifacts).find(({ name }) => name === 'reference');
if (reference === undefined) throw new Error('the run left no artifact `reference`');
await client.deploy(diamondsDeployment(reference.hash, feedbackWindowMs));
step('Both are deployed as an A/B test', `${platform.url}/v2/models/${deploymentName}/infer`);

// 3. Applications stream requests, read answers, tell the truth.
const monitored = await watchMonitors(platform);
const traffic = await readAnswers(platform);
const { stream } = splitDiamonds(readDiamonds(), { seed });
const { rows, shiftAt } = streamRows(stream, { seed, generalRows, shiftedRows });
const general = rows.slice(0, shiftAt);
const truthOf = new Map(rows.map((row) => [diamondKey(row), row.price]));

const earlyIds = new Set(general.slice(0, 50).map((row) => futurePredictionId(platform, diamondKey(row))));
const early: Told[] = general
  .slice(0, 50)
  .map((row) => ({ predictionId: futurePredictionId(platform, diamondKey(row)), truth: row.price }));
await streamFeedback(platform, early);
const onTime: Told[] = [];
const twice: Told[] = [];
const streamBegan = performance.now();
let firstShiftedAtMs = Number.POSITIVE_INFINITY;
/** Applications hear the truth soon after the answer: half of them tell it. */
let sentRows = 0;
for (const chunk of [...chunksOf(rows.slice(0, shiftAt)), ...chunksOf(rows.slice(shiftAt))]) {
  if (sentRows >= shiftAt) firstShiftedAtMs = Math.min(firstShiftedAtMs, Date.now());
  await streamRequests(platform, chunk, (sent) => progress(sentRows + sent, rows.length));
  sentRows += chunk.length;
  await until(
    'the rows sent so far are answered',
    () =>
      chunk.every((row) => traffic.answers.has(diamondKey(row)) || traffic.failures.has(diamondKey(row))) || undefined,
    120_000,
  );
  const told = chunk
    .filter((_, index) => index % 2 === 1)
    .flatMap((row): Told[] => {
      const answer = traffic.answers.get(diamondKey(row));
      return answer === undefined || earlyIds.has(answer.predictionId)
        ? []
        : [{ predictionId: answer.predictionId, truth: row.price }];
    });
  await streamFeedback(platform, told);
  if (onTime.length === 0) {
    twice.push(...told.slice(0, 40));
    await streamFeedback(platform, twice);
  }
  onTime.push(...told);
}
const requested = rows.map(diamondKey);
await until(
  'every request is answered',
  () => traffic.answers.size + traffic.failures.size >= requested.length || undefined,
  120_000,
);
const streamSeconds = (performance.now() - streamBegan) / 1000;
if (broken === 'answer-dropped') dropAnswer(traffic);
step('Predictions are streamed', `${rows.length} rows never trained on, ${(rows.length / streamSeconds).toFixed(0)}/s`);

const overHttp = stream.filter((row) => !truthOf.has(diamondKey(row))).slice(0, 100);
for (const row of overHttp)
  await client.predict(deploymentName, { rows: [encodeDiamond(row)] }, { entity: diamondKey(row) });
step('Some are asked over HTTP', `${overHttp.length} answers`);

const answered = requested.flatMap((id) => {
  const answer = traffic.answers.get(id);
  return answer === undefined ? [] : [{ id, predictionId: answer.predictionId, truth: truthOf.get(id) ?? 0 }];
});
const toldIds = new Set([...earlyIds, ...onTime.map(({ predictionId }) => predictionId)]);
const late = answered.filter(({ predictionId }) => !toldIds.has(predictionId)).slice(-25);
const unknown = Array.from({ length: 10 }, (_, index) => ({
  predictionId: `0000${String(index).padStart(28, 'f')}`,
  truth: 1,
}));
await streamFeedback(platform, unknown);
const expected = {
  rewarded: onTime.length + early.length,
  duplicates: twice.length,
  unmatched: unknown.length,
  late: late.length,
};
await until('feedback is joined', () => monitored.rewards.size >= expected.rewarded || undefined, 60_000);
step(
  'The truth is told',
  `${onTime.length} on time, ${early.length} early, ${twice.length} twice, ${unknown.length} for unknown predictions`,
);
await until(
  'the feedback window has passed',
  () => late.every(({ id }) => Date.now() > (traffic.answers.get(id)?.atMs ?? 0) + feedbackWindowMs + 500) || undefined,
  60_000,
);
await streamFeedback(
  platform,
  late.map(({ predictionId, truth }) => ({ predictionId, truth })),
);

// 4. What the monitors say.
await until('late feedback is closed', () => count(monitored.closed, 'late') >= expected.late || undefined, 60_000);
await until('the drift alarm', () => monitored.alerts.some(({ type }) => type === 'alert-raised') || undefined, 60_000);
await until('the routes are compared', () => monitored.assessments.length > 0 || undefined, 60_000);
step(
  'Monitors have spoken',
  `${monitored.drift.length} drift verdicts, ${monitored.outliers} outliers, ${monitored.assessments.length} comparisons`,
);
if (broken !== undefined) silenceMonitors(broken, monitored);
if (broken === 'feedback-counted-twice') {
  await forgeReward(platform, monitored);
  await until('the forged reward is read', () => monitored.doubleRewards > 0 || undefined);
}

// 5. Audit, then a restart, then an explanation in a second process.
await until(
  'unknown predictions are given up',
  () => count(monitored.closed, 'unmatched') >= expected.unmatched || undefined,
  60_000,
);
const counters = ledger(platform);
if (broken === 'audit-forged') await forgeAuditLink(platform);
const audit = await client.audit.verify();
const records = audit.chains.reduce((sum, chain) => sum + chain.recordsVerified, 0);
const explainedId = answered[Math.floor(answered.length / 3)]?.predictionId ?? '';
await platform.close();
step('The platform is stopped', 'a second process explains one prediction');
if (broken === 'blob-flipped') {
  // The model that made the prediction: its route is called like its alias.
  const route = [...traffic.answers.values()].find(({ predictionId }) => predictionId === explainedId)?.route ?? '';
  flipBlob(directory, versions.find(({ aliases }) => aliases.includes(route))?.artifact.hash ?? '');
}
const explanation = explainInSecondProcess(explainedId);
step(
  'A prediction is explained',
  explanation.verified ? `${explanation.links} links, each checked by hash` : 'links are broken',
);

// 6. Promises.
const facts: DemoFacts = {
  requested,
  traffic,
  monitored,
  told: onTime,
  asked: requested.length + overHttp.length,
  expected,
  counters,
  firstShiftedAtMs,
  auditIntact: audit.intact,
  auditDetail: `${records} records in ${audit.chains.length} chains`,
  explained: explanation.verified && explanation.reachesTrigger,
  explainDetail: `${explanation.links} links`,
};
const promises = checkPromises(facts);
console.log(
  summary({
    monitored,
    promises,
    streamed: rows.length,
    streamSeconds,
    models: trained,
    tookMs: performance.now() - began,
    place: ['--directory', directory, ...profileArguments].join(' '),
    predictionId: explainedId,
  }),
);
process.exit(promises.every(({ kept }) => kept) ? 0 : 1);

interface ShownTask {
  readonly taskId: string;
  readonly artifacts: readonly { readonly name: string; readonly hash: string }[];
}

function chunksOf<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / chunkRows) }, (_, index) =>
    items.slice(index * chunkRows, (index + 1) * chunkRows),
  );
}

function step(what: string, detail: string): void {
  clearProgress();
  say(`${green('✔')} ${bold(what)} ${dim(detail)}`);
}

function progress(done: number, all: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${cyan('…')} ${done} of ${all} requests sent`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

function count(outcomes: ReadonlyMap<string, string>, wantedOutcome: string): number {
  return [...outcomes.values()].filter((outcome) => outcome === wantedOutcome).length;
}

/** Counters of all tasks of `feedback-rewards`, and gaps of all tasks. */
function ledger(of: Platform): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { task, counters: own } of of.runtime.stats()) {
    for (const [name, value] of Object.entries(own)) {
      if (name === 'gaps' || task.startsWith(`${of.runtime.parts.prefix ?? ''}feedback-rewards/`))
        sums[name] = (sums[name] ?? 0) + value;
    }
  }
  return sums;
}

function explainInSecondProcess(id: string): { verified: boolean; reachesTrigger: boolean; links: number } {
  const { url: cli, typescript } = moduleForChild('cli/main');
  const program = [...(typescript ? ['--import', 'tsx'] : []), fileURLToPath(cli)];
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...program, '--json', '--directory', directory, ...profileArguments, 'explain', id],
    { encoding: 'utf8' },
  );
  try {
    const { verified, causes, effects } = JSON.parse(stdout) as {
      verified: boolean;
      causes: readonly { kind: string; verified: boolean }[];
      effects: readonly object[];
    };
    return {
      verified,
      reachesTrigger: causes.some(({ kind, verified: holds }) => kind === 'trigger' && holds),
      links: causes.length + effects.length,
    };
  } catch {
    say(stderr.slice(-2_000));
    return { verified: false, reachesTrigger: false, links: 0 };
  }
}

/** What a person must know to go on: no stack. */
function stop(error: unknown): never {
  console.error(`${red('✘')} ${messageOf(error)}`);
  process.exit(1);
}

function sabotageNamed(name: string): Sabotage {
  const found = sabotages.find((one) => one === name);
  if (found === undefined) throw new Error(`--break takes one of ${sabotages.join(', ')}, got '${name}'`);
  return found;
}
