/** Kills the victim again and again, lets one live to the end, and judges what is on the log. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import type { CrashPoint } from '../../runtime/engine/crash-points.ts';
import { verifyAudit } from '../../services/audit/verify.ts';
import { startPlatform } from '../../services/all-in-one/platform.ts';

export interface KillReport {
  /** How often each point killed. */
  readonly histogram: Readonly<Record<string, number>>;
  /** Kills that came while something was in flight. */
  readonly inFlight: number;
  readonly orphans: readonly number[];
  readonly answers: ReadonlyMap<string, number>;
  /** Distinct outcomes that differ for one prediction id. */
  readonly conflicting: readonly string[];
  readonly rewards: ReadonlyMap<string, number>;
  readonly completions: ReadonlyMap<string, number>;
  readonly runs: { readonly requested: number; readonly completed: number; readonly failed: readonly string[] };
  readonly auditIntact: boolean;
  readonly ledger: Readonly<Record<string, number>>;
}

export interface KillPlan {
  /** Each kills one victim, at the n-th time that the point is passed. */
  readonly kills: readonly { readonly point: CrashPoint; readonly times: number }[];
  readonly predictions: number;
  readonly runs: number;
}

const victim = fileURLToPath(new URL('./victim.ts', import.meta.url));

export async function killAgainAndAgain(plan: KillPlan): Promise<KillReport> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  const report = join(directory, 'crashes');
  try {
    let inFlight = 0;
    const orphans: number[] = [];
    for (const [index, { point, times }] of plan.kills.entries()) {
      const share = (index + 1) / (plan.kills.length + 1);
      // Each victim has work of its own, however far the ones before it came.
      const work = { predictions: Math.floor(plan.predictions * share), runs: Math.ceil(plan.runs * share) };
      const ended = await runVictim(directory, work, {
        KILL_AT: `${point}:${times}`,
        MILLRACE_CRASH_REPORT: report,
      });
      orphans.push(...ended.children.filter(isAlive));
      if (ended.signal === 'SIGKILL' && ended.output.includes('set up')) inFlight += 1;
      else if (ended.signal === null && ended.code !== 0)
        throw new Error(`the victim failed by itself:\n${ended.output}`);
    }
    const last = await runVictim(directory, plan, {});
    if (last.code !== 0) throw new Error(`the last victim did not finish:\n${last.output}`);
    const histogram: Record<string, number> = {};
    for (const line of existsSync(report) ? readFileSync(report, 'utf8').trim().split('\n') : [])
      histogram[line] = (histogram[line] ?? 0) + 1;
    return { histogram, inFlight, orphans, ...(await judge(join(directory, 'data'))) };
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  /** Processes that the victim had started. */
  readonly children: readonly number[];
}

async function runVictim(
  directory: string,
  { predictions, runs }: Pick<KillPlan, 'predictions' | 'runs'>,
  environment: Record<string, string>,
): Promise<Ended> {
  const process_ = spawn(
    process.execPath,
    ['--import', 'tsx', victim, join(directory, 'data'), String(predictions), String(runs)],
    {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  const children = new Set<number>();
  const watch = setInterval(() => childrenOf(process_.pid ?? 0).forEach((pid) => children.add(pid)), 20);
  process_.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  process_.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    process_.once('close', (c, s) => resolve([c, s])),
  );
  clearInterval(watch);
  const end = Date.now() + 5_000;
  while ([...children].some(isAlive) && Date.now() < end) await new Promise<void>((resolve) => setTimeout(resolve, 20));
  return { code, signal, output: output.slice(-4_000), children: [...children] };
}

/** Direct children, from /proc; none where there is no /proc. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function judge(directory: string): Promise<Omit<KillReport, 'histogram' | 'inFlight' | 'orphans'>> {
  const platform = await startPlatform({
    configuration: resolveConfiguration({ flags: { directory, 'http.port': '0', 'log.level': 'silent' } }),
  });
  try {
    await platform.ready();
    const { runtime } = platform;
    const answers = new Map<string, number>();
    const digests = new Map<string, string>();
    const conflicting: string[] = [];
    const rewards = new Map<string, number>();
    const completions = new Map<string, number>();
    const requested = new Set<string>();
    const completed = new Set<string>();
    const failed: string[] = [];
    const followers = [
      await runtime.follow('predictions', {
        from: 'earliest',
        onEvent: ({ type, data }) => {
          if (type !== 'prediction-completed') return;
          const outcome = JSON.stringify([data.inputDigest, data.outputs]);
          if (digests.has(data.predictionId) && digests.get(data.predictionId) !== outcome)
            conflicting.push(data.predictionId);
          if (!digests.has(data.predictionId))
            answers.set(data.clientId ?? '', (answers.get(data.clientId ?? '') ?? 0) + 1);
          digests.set(data.predictionId, outcome);
        },
      }),
      await runtime.follow('rewards', {
        from: 'earliest',
        onEvent: ({ type, data }) => {
          if (type === 'reward-recorded') rewards.set(data.predictionId, (rewards.get(data.predictionId) ?? 0) + 1);
        },
      }),
      await runtime.follow('artifacts', {
        from: 'earliest',
        onEvent: ({ data }) => {
          const artifact = `${data.runId}/${data.taskId}/${data.artifact.name}`;
          completions.set(artifact, (completions.get(artifact) ?? 0) + 1);
        },
      }),
      await runtime.follow('runs', {
        from: 'earliest',
        onEvent: ({ type, data }) => {
          if (type === 'run-requested') requested.add(data.runId);
          if (type === 'run-completed') completed.add(data.runId);
          if (type === 'run-failed') failed.push(`${data.runId}: ${data.step}: ${data.kind}: ${data.message}`);
        },
      }),
    ];
    await Promise.all(followers.map((follower) => follower.ready()));
    const audit = await verifyAudit(runtime.parts.log, runtime);
    const ledger: Record<string, number> = {};
    for (const { counters } of runtime.stats())
      for (const [name, value] of Object.entries(counters)) ledger[name] = (ledger[name] ?? 0) + value;
    return {
      answers,
      conflicting,
      rewards,
      completions,
      runs: { requested: requested.size, completed: completed.size, failed },
      auditIntact: audit.intact,
      ledger,
    };
  } finally {
    await platform.close();
  }
}
