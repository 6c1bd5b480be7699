import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../runtime/ports/errors.ts';
import { runIdOfKey } from '../../schemas/derived-ids.ts';
import { RunLogger } from './run-logger.ts';
import { Spool, type SpoolEntry, spoolsIn } from './spool.ts';
import { surroundings } from './surroundings.ts';
import { isLater, TrackingServer } from './tracking-server.ts';

export interface StartRunOptions {
  /** @default the environment's MLFLOW_TRACKING_URI, else http://127.0.0.1:7400 */
  readonly url?: string | undefined;
  /** @default the environment's MLFLOW_TRACKING_TOKEN */
  readonly token?: string | undefined;
  /** Made when it is not there. @default Default */
  readonly experiment?: string | undefined;
  readonly name?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Of the run around it. */
  readonly parentRunId?: string | undefined;
  /** The same key is the same run, also from another program: to go on with it. @default a new one */
  readonly key?: string | undefined;
  /** Where what is not sent yet waits. @default MILLRACE_SPOOL, else .millrace/spool */
  readonly spool?: string | undefined;
  /** Git commit, branch and patch, host and platform. @default true */
  readonly source?: boolean | undefined;
  /** @default false */
  readonly systemMetrics?: boolean | undefined;
  /** @default to standard error */
  readonly warn?: ((message: string) => void) | undefined;
}

const defaultSpool = (): string => process.env['MILLRACE_SPOOL'] ?? join('.millrace', 'spool');

/**
 * Begins a tracked run, whether its server can be reached or not. Its id is known at once, and the same on the server.
 *
 * @example
 * const run = startRun({ experiment: 'wine', name: 'forest' });
 * run.params({ depth: 6 });
 * for (let step = 0; step < 100; step++) run.metric('loss', train(step), step);
 * await run.end();
 */
export function startRun(options: StartRunOptions = {}): RunLogger {
  const { experiment = '', name = '', tags = {}, parentRunId, source = true } = options;
  const key = options.key ?? randomBytes(16).toString('hex');
  const runId = runIdOfKey(key);
  const warn = options.warn ?? warnOf;
  const found = source ? surroundings() : { tags: {}, patch: undefined };
  const nested = parentRunId === undefined ? {} : { 'mlflow.parentRunId': parentRunId };
  const all = Object.entries({ ...found.tags, ...tags, ...nested }).map(([tag, value]) => ({ key: tag, value }));
  const run = { run_name: name, start_time: Date.now(), tags: all };
  const begin = { type: 'begin', key, experiment, run } as const;
  const spool = spoolFor(options.spool, `${Date.now()}-${runId}`, begin, warn);
  const logger = new RunLogger(runId, { ...spool, server: serverOf(options), warn });
  if (found.patch !== undefined) logger.artifact('source/uncommitted.patch', found.patch);
  if (options.systemMetrics === true) logger.systemMetrics();
  return logger;
}

/** Logs to a run that is there, such as that of a step. */
export function attachRun(
  runId: string,
  options: Pick<StartRunOptions, 'url' | 'token' | 'spool' | 'warn'> = {},
): RunLogger {
  const warn = options.warn ?? warnOf;
  const name = `${Date.now()}-${runId}-${randomBytes(4).toString('hex')}`;
  const spool = spoolFor(options.spool, name, { type: 'attach', runId }, warn);
  return new RunLogger(runId, { ...spool, server: serverOf(options), warn });
}

/** Below the directory of temporary files where the wanted one cannot be written; `first` is what neither has taken yet. */
function spoolFor(
  wanted: string | undefined,
  name: string,
  first: SpoolEntry,
  warn: (message: string) => void,
): { readonly spool: Spool; readonly first?: SpoolEntry } {
  const directory = wanted ?? defaultSpool();
  const spool = new Spool(join(directory, name));
  try {
    spool.begin(first);
    return { spool };
  } catch (error) {
    const other = join(tmpdir(), 'millrace-spool');
    warn(`what is logged waits in ${other}, because ${directory} cannot be written: ${messageOf(error)}`);
    const instead = new Spool(join(other, name));
    try {
      instead.begin(first);
      return { spool: instead };
    } catch (problem) {
      warn(`${other} cannot be written either, and what is logged is lost until it can: ${messageOf(problem)}`);
      return { spool: instead, first };
    }
  }
}

export interface SyncedRun {
  readonly folder: string;
  readonly runId: string | undefined;
  readonly sent: number;
  readonly refused: readonly string[];
}

/**
 * Sends what waits in a spool directory, run by run and in order; what is sent is removed. A run whose program is still there is left to it;
 * one that may be is sent and not removed.
 * Rejects when the server is away.
 */
export async function syncSpool(
  options: Pick<StartRunOptions, 'url' | 'token' | 'spool'> = {},
): Promise<readonly SyncedRun[]> {
  const server = serverOf(options);
  const synced: SyncedRun[] = [];
  for (const spool of spoolsIn(options.spool ?? defaultSpool())) {
    const { owner, size } = spool;
    if (owner === 'present') continue;
    if (!spool.waits && (spool.keeps || owner === 'silent')) continue;
    const { sent, refused } = await sentOf(server, spool);
    synced.push({ folder: spool.folder, runId: spool.runId, sent, refused });
    // What was refused stays, with its reasons, for its owner to look at; a folder that somebody may still write into stays too.
    if (refused.length === 0 && !spool.keeps && owner === 'gone' && spool.size === size) spool.remove();
  }
  return synced;
}

/** A run that the server does not let begin is no reason for the others to wait. */
async function sentOf(server: TrackingServer, spool: Spool): Promise<Pick<SyncedRun, 'sent' | 'refused'>> {
  try {
    return await server.send(spool);
  } catch (error) {
    if (isLater(error)) throw error;
    return { sent: 0, refused: [messageOf(error)] };
  }
}

function serverOf({ url, token }: Pick<StartRunOptions, 'url' | 'token'>): TrackingServer {
  const { MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN } = process.env;
  return new TrackingServer({ url: url ?? MLFLOW_TRACKING_URI, token: token ?? MLFLOW_TRACKING_TOKEN });
}

function warnOf(message: string): void {
  process.stderr.write(`${message}\n`);
}
