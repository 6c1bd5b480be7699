import { setTimeout as wait } from 'node:timers/promises';
import { Registry } from 'prom-client';
import type { Configuration } from '../../runtime/config/settings.ts';
import { type InFlight, reportInFlight } from '../../runtime/engine/crash-points.ts';
import { createRuntime } from '../../runtime/engine/create-runtime.ts';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import { closeAll } from '../../runtime/profiles/closers.ts';
import { openParts } from '../../runtime/profiles/open-parts.ts';
import { CatchingUp } from './catching-up.ts';
import { chooseRoles, withWatcherThread } from './choose-roles.ts';
import { Health } from './health.ts';
import { exportMetrics } from './metrics.ts';
import type { startProbeServer } from '../gateway/probe-server.ts';
import { listenOptions } from './listen-options.ts';
import type { Role, SharedParts } from './roles.ts';
import { watchers } from './watchers.ts';

export interface PlatformOptions {
  readonly configuration: Configuration;
  /** Names of {@link roles}. @default all */
  readonly only?: readonly string[] | undefined;
  /** The roles that only watch start so long after the others, milliseconds, and not at all in a process that ends before. @default with the others */
  readonly watchersAfterMs?: number | undefined;
  /** Told as each part comes up. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

/** A process that could not catch up looks again so often whether it has, milliseconds. */
const again = 1_000;

/** A running process of the platform. */
export interface Platform {
  readonly runtime: Runtime;
  readonly metrics: Registry;
  /** Where the gateway answers; undefined when it does not run here. */
  readonly url: string | undefined;
  /** host:port of the Open Inference Protocol over gRPC; undefined when it is not served here. */
  readonly grpc: string | undefined;
  /** Where `/livez`, `/readyz` and `/metrics` answer: with the gateway, or alone. */
  readonly probesUrl: string | undefined;
  readonly provenance: SharedParts['provenance'];
  /** What this process has in hand now. */
  inFlight(): InFlight;
  /** How many wait here for the end of a run. */
  followers(): number;
  /** Resolves when every role has caught up with what was on the log at its start. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the parts of the profile and starts the roles. A failure closes what was started. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { configuration, only, watchersAfterMs, onProgress } = options;
  const chosen = chooseRoles(only);
  const opened = await openParts(configuration);
  const running: Running[] = [];
  let runtime: Runtime | undefined;
  let probes: Awaited<ReturnType<typeof startProbeServer>> | undefined;
  let health: Health | undefined;
  let watching: { stop(): Promise<void> } | undefined;
  const close = async (): Promise<void> => {
    health?.isClosing();
    await closeAll([
      () => watching?.stop(),
      // what `watching` was just about to start is among them
      () =>
        closeAll(
          running
            .splice(0)
            .reverse()
            .map((part) => () => part.close()),
        ),
      () => probes?.close(),
      () => runtime?.close(),
      () => opened.close(),
    ]);
  };
  try {
    runtime = await createRuntime(opened.parts, {
      snapshotEveryRecords: configuration['engine.snapshot_every_records'],
      replication: configuration['kafka.replication'],
    });
    const metrics = new Registry();
    const shared: SharedParts = {};
    const catchingUp = new CatchingUp();
    const names = new Map<Running, string>();
    const behind = (): string[] =>
      running.flatMap((part) => (catchingUp.isBehind(part) ? (names.get(part) ?? []) : []));
    const healthOfThis = (health = new Health(runtime, behind));
    exportMetrics(metrics, runtime, healthOfThis);
    const engine = runtime;
    const inFlight = (): InFlight => ({
      records: engine.stats().reduce((sum, { takenRecords }) => sum + takenRecords, 0),
      leases: shared.openLeases?.() ?? 0,
    });
    reportInFlight(inFlight);
    if (chosen.length > 0 && !chosen.some(({ name }) => name === 'gateway')) {
      const { startProbeServer } = await import('../gateway/probe-server.ts');
      probes = await startProbeServer({
        metrics,
        unready: () => healthOfThis.unready(),
        ...listenOptions(configuration),
      });
    }
    const start = async (role: Role): Promise<void> => {
      const part = await role.start({ runtime: engine, configuration, metrics, shared, health: healthOfThis });
      names.set(part, role.name);
      running.push(part);
      onProgress?.(role.name);
    };
    const begun = withWatcherThread(chosen, configuration);
    const later = watchersAfterMs === undefined ? [] : begun.filter(({ name }) => watchers.has(name));
    for (const role of begun) if (!later.includes(role)) await start(role);
    if (shared.url !== undefined) opened.setAddress(shared.url);
    const caughtUp = async (): Promise<void> => {
      await catchingUp.all(running);
      healthOfThis.isUp();
    };
    const ready = caughtUp();
    // What cannot be opened here may go to another process, or be mended: then this one is of use after all.
    ready.catch(async () => {
      while (!healthOfThis.hasEnded) {
        await wait(again, undefined, { ref: false });
        if (
          await caughtUp().then(
            () => true,
            () => false,
          )
        )
          return;
      }
    });
    if (watchersAfterMs !== undefined) watching = startLater(later, start, watchersAfterMs, engine);
    return {
      runtime,
      metrics,
      url: shared.url,
      grpc: shared.grpc,
      probesUrl: shared.url ?? probes?.url,
      provenance: shared.provenance,
      inFlight,
      followers: () => shared.followers?.() ?? 0,
      ready: () => ready,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Starts roles one after the other once the time has passed, unless it is stopped before. */
function startLater(
  later: readonly Role[],
  start: (role: Role) => Promise<void>,
  afterMs: number,
  { parts: { clock, logger } }: Runtime,
): { stop(): Promise<void> } {
  let stopped = false;
  let starting: Promise<void> | undefined;
  const startAll = async (): Promise<void> => {
    for (const role of later) if (!stopped) await start(role);
  };
  const cancel = clock.after(afterMs, () => {
    starting = startAll().catch((error: unknown) => {
      logger.error(
        { error: messageOf(error) },
        'a role could not be started; what it watches waits for the next process',
      );
    });
  });
  return {
    stop: async () => {
      stopped = true;
      cancel();
      await starting;
    },
  };
}
