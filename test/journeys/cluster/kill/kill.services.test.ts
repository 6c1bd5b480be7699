import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../../../runtime/config/resolve.ts';
import { type CrashPoint, crashPoints } from '../../../../runtime/engine/crash-points.ts';
import { hasCode } from '../../../../runtime/ports/errors.ts';
import { eventually } from '../../../../runtime/testing/test-runtime.ts';
import { connect } from '../../../../sdk/client/index.ts';
import { deployment } from '../../../../sdk/deployment/index.ts';
import { type Platform, startPlatform } from '../../../../services/all-in-one/platform.ts';
import { seededRandom } from '../../../../statistics/random.ts';
import { drawHistogram, histogramOf, landedInFlight, readCrashReports } from '../../crash-reports.ts';
import { judge } from '../../judge.ts';
import { problemsOf } from '../../nothing-lost.ts';
import { clusterMissing } from '../cluster.ts';
import { Applications } from './applications.ts';
import { Instance } from './instance-of.ts';
import { postMortem } from './post-mortem.ts';
import { BreakableWorld } from './world.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const runsWanted = 20;
const inFlightWanted = 20;
/** Kills beyond the plan, at points of {@link holding}, when too few of the planned ones landed in flight. */
const moreMax = 6;

/** How long an instance that has caught up may take to come to its point: then it is killed where it is, and the point has another turn. */
const reachMs = 45_000;
const turnsMax = 4;

/** Every task of every service passes these, and most of them have nothing in hand at first. */
const ofTheCycle = /-(poll|fold|commit|append|report)$/;

/** At these the process holds what it was killed for. */
const holding: readonly CrashPoint[] = [
  'before-fold',
  'after-fold',
  'before-commit',
  'before-batch',
  'after-batch',
  'before-reply',
  'after-reply',
  'before-upload',
  'after-upload',
  'before-complete',
];

interface Kill {
  readonly point: CrashPoint | 'any';
  readonly times: number;
  /** From 1. */
  readonly turn: number;
}

/** Every named point once, and some wherever a process happens to be. */
function killPlan(): Kill[] {
  const random = seededRandom(seed);
  const at = (point: CrashPoint): Kill => {
    const upTo = ofTheCycle.test(point) ? 150 : point.endsWith('-load') ? 1 : 2;
    return { point, times: 1 + random.integer(upTo), turn: 1 };
  };
  const kills: Kill[] = [
    ...crashPoints.map(at),
    ...Array.from({ length: 2 }, () => ({ point: 'any' as const, times: 200 + random.integer(800), turn: 1 })),
  ];
  return kills
    .map((kill) => ({ kill, order: random.integer(1_000_000) }))
    .sort((a, b) => a.order - b.order)
    .map(({ kill }) => kill);
}

let world: BreakableWorld;
let directory: string;
/** Runs nothing: the applications' door to Kafka. */
let door: Platform;
let applications: Applications;
const instances: Instance[] = [];
const orphans: number[] = [];

beforeAll(async () => {
  if (clusterMissing) return;
  console.log(`SEED=${seed}`);
  directory = await mkdtemp(join(tmpdir(), 'millrace-kill-'));
  world = await BreakableWorld.start();
  door = await platform('door', []);
  const reply = { name: world.replyTopic, partitions: 2, cleanup: 'delete', recordBytesMax: 1_000_000 } as const;
  await door.runtime.parts.log.ensureTopics([{ ...reply, replication: 1, minInsyncReplicas: 1 }]);
  instances.push(instance(0), instance(1));
  const [url = ''] = await Promise.all(instances.map(({ up }) => up));
  try {
    await setUp(url);
  } catch (error) {
    await postMortem(instances);
    throw error;
  }
  applications = await Applications.connect(door, world.replyTopic);
  for (let run = 0; run < runsWanted; run++) await applications.trigger(0);
  applications.start();
  await applications.progress(20, 1);
}, 420_000);

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await postMortem(instances);
});

afterAll(async () => {
  await applications?.close();
  for (const one of instances) {
    one.signal('SIGKILL');
    await one.ended;
  }
  await door?.close();
  await world?.stop();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
}, 150_000);

describe.skipIf(clusterMissing)(
  'two instances of every service on Kafka, Redis and S3, with runs and predictions under way',
  () => {
    it('are killed at every named point and at random, most of the time with work in hand', {
      timeout: 2_400_000,
    }, async () => {
      const plan = killPlan();
      await Promise.all(instances.map((_, slot) => killAgainAndAgain(slot, plan)));
      await Promise.all(instances.map(({ up }) => up));
      const crashes = readCrashReports(reportFile());
      console.log(drawHistogram(crashes));
      const histogram = histogramOf(crashes);
      for (const point of crashPoints) expect(histogram.get(point)?.[0] ?? 0, point).toBeGreaterThanOrEqual(1);
      const inFlight = crashes.filter(landedInFlight).length;
      console.log(
        `${crashes.length} kills, ${inFlight} in flight, ${crashes.filter(({ leases }) => leases > 0).length} with an open lease`,
      );
      expect(inFlight).toBeGreaterThanOrEqual(inFlightWanted);
    });

    it('change nothing when one is frozen past its session and wakes', { timeout: 500_000 }, async () => {
      const [frozen, other] = instances as [Instance, Instance];
      const groups = ['feedback-rewards', 'run-progress', 'step-worker'].map((name) => world.prefix + name);
      await eventually('both are members', async () => (await members(groups)).every((count) => count === 2), 150_000);
      const held = await eventually(
        'it holds a lease',
        async () => {
          const number = await applications.trigger(0, gateOf(applications.runs.length));
          await applications.until('the slow step has begun', () => applications.holders.has(number));
          if (applications.holders.get(number) === frozen.worker) return number;
          await writeFile(gateOf(number), '');
          return undefined;
        },
        120_000,
      );
      frozen.signal('SIGSTOP');
      await eventually(
        'it lost all its partitions',
        async () => (await members(groups)).every((count) => count === 1),
        150_000,
      );
      await applications.until('its lease has lapsed', () => applications.retried.has(held));
      await writeFile(gateOf(held), '');
      await applications.until('another has finished its run', () => applications.ended.has(held));
      expect(applications.holders.get(held)).toBe(other.worker);
      await applications.progress(50, 1);
      frozen.signal('SIGCONT');
      await eventually(
        'it is a member again',
        async () => (await members(groups)).every((count) => count === 2),
        150_000,
      );
      expect(applications.ended.get(held)).toBe('run-completed');
      await applications.progress(50, 1);
    });

    it('go on when Redis is restarted', { timeout: 500_000 }, async () => {
      await world.restartRedis();
      await applications.progress(100, 2);
    });

    it('go on when Redis has lost everything', { timeout: 500_000 }, async () => {
      expect(await world.loseRedis()).toBeGreaterThan(100);
      await applications.progress(100, 2);
    });

    it('go on when S3 fails for a while', { timeout: 500_000 }, async () => {
      await world.failS3(8);
      await applications.progress(100, 2);
    });

    it('go on when the broker is killed in the middle of a run and started again', { timeout: 500_000 }, async () => {
      const open = await applications.trigger(0, gateOf(applications.runs.length));
      await applications.until('its slow step has begun', () => applications.holders.has(open));
      await world.restartBroker();
      expect(applications.ended.has(open)).toBe(false);
      await writeFile(gateOf(open), '');
      await applications.progress(100, 2);
      await applications.until('the run', () => applications.ended.get(open) === 'run-completed');
    });

    it('go on when one stops, and a topology and services get a process more for a while', {
      timeout: 500_000,
    }, async () => {
      const roles = ['run-progress', 'feedback-rewards', 'model-server', 'step-worker'];
      const groups = roles.map((name) => world.prefix + name);
      const have = (wanted: number): Promise<unknown> =>
        eventually(
          `${wanted} members of each group`,
          async () => (await members(groups)).every((count) => count === wanted),
          60_000,
        );
      const [, second] = instances as [Instance, Instance];
      second.signal('SIGTERM');
      expect(await second.ended, second.output).toEqual({ code: 0, signal: null });
      instances.pop();
      await have(1);
      await applications.progress(50, 1);
      const more = new Instance(join(directory, 'more'), world.environment, roles);
      instances.push(more);
      await more.up;
      await have(2);
      await applications.progress(50, 1);
      more.signal('SIGTERM');
      expect(await more.ended, more.output).toEqual({ code: 0, signal: null });
      instances.pop();
      await have(1);
      await applications.progress(50, 1);
    });

    it('have lost nothing of what was acknowledged, and counted nothing twice', { timeout: 500_000 }, async () => {
      await applications.finish();
      for (const one of instances) one.signal('SIGTERM');
      for (const one of instances) expect(await one.ended, one.output).toEqual({ code: 0, signal: null });
      const { requests, feedback, runs, poison } = applications;
      const judging = await platform('judge');
      try {
        await judging.ready();
        const findings = await judge(judging.runtime, { requests, feedback, runs, poison }, orphans);
        console.log(
          `${requests.length} requests, ${feedback.length} feedbacks, ${runs.length} runs, ${poison.length} poisons, ${findings.auditedRecords} audited records`,
        );
        expect(problemsOf(findings)).toEqual([]);
      } finally {
        await judging.close();
      }
    });
  },
);

/** File for which the slow step of a run waits. */
const gateOf = (number: number): string => join(directory, `gate-${number}`);

function reportFile(): string {
  return join(directory, 'crashes');
}

function instance(slot: number, environment: Readonly<Record<string, string>> = {}): Instance {
  return new Instance(join(directory, `instance-${slot}`), { ...world.environment, ...environment });
}

async function platform(name: string, only?: readonly string[]): Promise<Platform> {
  const flags = { directory: join(directory, name), 'http.port': '0' };
  return await startPlatform({ configuration: resolveConfiguration({ environment: world.environment, flags }), only });
}

let more = 0;

/** The next of the plan; after its end, some that are likely to land in flight, while too few did. */
function nextOf(plan: Kill[]): Kill | undefined {
  const planned = plan.shift();
  if (planned !== undefined) return planned;
  const landed = readCrashReports(reportFile()).filter(landedInFlight).length;
  const point = holding[more];
  if (landed >= inFlightWanted || more >= moreMax || point === undefined) return undefined;
  more += 1;
  return { point, times: 1, turn: turnsMax };
}

/** Ends with an instance that nobody kills. */
async function killAgainAndAgain(slot: number, plan: Kill[]): Promise<void> {
  instances[slot]?.signal('SIGKILL');
  for (let kill = nextOf(plan); kill !== undefined; kill = nextOf(plan)) {
    orphans.push(...((await instances[slot]?.orphans()) ?? []));
    const { point, times, turn } = kill;
    const victim = instance(slot, { MILLRACE_CRASH_AT: `${point}:${times}`, MILLRACE_CRASH_REPORT: reportFile() });
    instances[slot] = victim;
    let late: NodeJS.Timeout | undefined;
    const inVain = (): void => victim.signal('SIGKILL');
    victim.up.then(() => (late = setTimeout(inVain, reachMs)), inVain);
    const { code, signal } = await victim.ended;
    clearTimeout(late);
    if (signal !== 'SIGKILL') throw new Error(`the instance ended by itself (${code ?? signal}):\n${victim.output}`);
    const reached = readCrashReports(reportFile()).some(({ pid }) => pid === victim.pid);
    if (!reached && turn < turnsMax) plan.push({ point, times: 1, turn: turn + 1 });
  }
  orphans.push(...((await instances[slot]?.orphans()) ?? []));
  instances[slot] = instance(slot);
}

/** How many members each group has, as the broker sees it. */
async function members(groups: readonly string[]): Promise<readonly number[]> {
  const admin = new Kafka({ brokers: [...world.broker.addresses], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const described = await admin.describeGroups([...groups]);
    return described.groups.map(({ state, members: all }) => (state === 'Stable' ? all.length : -1));
  } finally {
    await admin.disconnect();
  }
}

async function setUp(url: string): Promise<void> {
  const client = connect({ url, actor: 'ada' });
  const { blobs } = door.runtime.parts;
  const { hash, sizeBytes } = await blobs.put(
    await readFile(new URL('../../../models/iris-logreg.onnx', import.meta.url)),
  );
  const data = {
    model: 'iris',
    requestId: 'setup-version',
    runId: null,
    taskId: null,
    flow: null,
    artifact: { name: 'model', hash, sizeBytes, codec: 'onnx' },
    metrics: {},
    tags: {},
    alias: null,
    description: '',
    actor: 'ada',
  };
  await door.runtime.publish([
    { topic: 'registry', type: 'version-requested', key: 'iris', id: 'setup-version', data },
  ]);
  await eventually(
    'the model',
    async () => (await client.models.show('iris').catch(() => undefined)) !== undefined,
    60_000,
  );
  const features = ['sepal length', 'sepal width', 'petal length', 'petal width'];
  const iris = deployment('iris').route('only', 'models:/iris/1').features(features);
  await decided((idempotencyKey) => client.deploy(iris, { idempotencyKey }));
  const flow = await bundleFlow(fileURLToPath(new URL('../../kill-flow.ts', import.meta.url)));
  await decided((idempotencyKey) => client.flows.deploy(flow, { idempotencyKey }));
}

/** Asks again under the same key while the answer is late. */
async function decided(ask: (idempotencyKey: string) => Promise<unknown>): Promise<void> {
  const key = randomUUID();
  for (let turn = 1; ; turn++) {
    try {
      await ask(key);
      return;
    } catch (error) {
      if (turn === 8 || !hasCode(error, 'TIMEOUT', 'UNAVAILABLE')) throw error;
    }
  }
}
