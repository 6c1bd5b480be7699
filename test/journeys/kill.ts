/** Kills the victim again and again, lets one live to the end, and judges what is on the log. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import type { CrashPoint, CrashReport } from '../../runtime/engine/crash-points.ts';
import { startPlatform } from '../../services/all-in-one/platform.ts';
import { compiledFile } from '../compiled.ts';
import { childrenOf, isAlive } from './children.ts';
import { readCrashReports } from './crash-reports.ts';
import { judge } from './judge.ts';
import type { Findings } from './nothing-lost.ts';

export interface KillReport {
  /** What each victim held when it was killed. */
  readonly crashes: readonly CrashReport[];
  readonly findings: Findings;
}

export interface KillPlan {
  /** Each kills one victim, at the n-th time that the point is passed. */
  readonly kills: readonly { readonly point: CrashPoint; readonly times: number }[];
  readonly predictions: number;
  readonly runs: number;
}

const sources = fileURLToPath(new URL('../', import.meta.url));

export async function killAgainAndAgain(plan: KillPlan): Promise<KillReport> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  const report = join(directory, 'crashes');
  const victim = compiledFile(new URL('./victim.ts', import.meta.url));
  try {
    const orphans: number[] = [];
    for (const [index, { point, times }] of plan.kills.entries()) {
      const share = (index + 1) / (plan.kills.length + 1);
      // Each victim has work of its own, however far the ones before it came.
      const work = { predictions: Math.floor(plan.predictions * share), runs: Math.ceil(plan.runs * share) };
      const ended = await runVictim(victim, directory, work, {
        KILL_AT: `${point}:${times}`,
        MILLRACE_CRASH_REPORT: report,
      });
      orphans.push(...ended.children.filter(isAlive));
      if (ended.signal === null && ended.code !== 0) throw new Error(`the victim failed by itself:\n${ended.output}`);
    }
    const last = await runVictim(victim, directory, plan, {});
    if (last.code !== 0) throw new Error(`the last victim did not finish:\n${last.output}`);
    const crashes = readCrashReports(report);
    return { crashes, findings: await findingsIn(join(directory, 'data'), plan, orphans) };
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** The last victim ended well: all that it wanted was acknowledged. */
async function findingsIn(directory: string, plan: KillPlan, orphans: readonly number[]): Promise<Findings> {
  const platform = await startPlatform({
    configuration: resolveConfiguration({ flags: { directory, 'http.port': '0', 'log.level': 'silent' } }),
  });
  try {
    await platform.ready();
    const requests = Array.from({ length: plan.predictions }, (_, n) => `request-${n}`);
    const runs = Array.from({ length: plan.runs }, (_, n) => n);
    return await judge(platform.runtime, { requests, feedback: requests, runs, poison: [] }, orphans);
  } finally {
    await platform.close();
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
  victim: string,
  directory: string,
  { predictions, runs }: Pick<KillPlan, 'predictions' | 'runs'>,
  environment: Record<string, string>,
): Promise<Ended> {
  const process_ = spawn(
    process.execPath,
    [victim, join(directory, 'data'), String(predictions), String(runs), sources],
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
  // a child that was starting hears of the end of its parent when it has loaded
  const end = Date.now() + 60_000;
  while ([...children].some(isAlive) && Date.now() < end) await new Promise<void>((resolve) => setTimeout(resolve, 20));
  return { code, signal, output: output.slice(-4_000), children: [...children] };
}
