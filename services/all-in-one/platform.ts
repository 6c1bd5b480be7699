import { Registry } from 'prom-client';
import type { Configuration } from '../../runtime/config/settings.ts';
import { type InFlight, reportInFlight } from '../../runtime/engine/crash-points.ts';
import { createRuntime } from '../../runtime/engine/create-runtime.ts';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { openParts } from '../../runtime/profiles/open-parts.ts';
import { Health } from './health.ts';
import { exportMetrics } from './metrics.ts';
import type { startProbeServer } from '../gateway/probe-server.ts';
import { listenOptions } from './listen-options.ts';
import { roles, type SharedParts } from './roles.ts';

export interface PlatformOptions {
  readonly configuration: Configuration;
  /** Names of {@link roles}. @default all */
  readonly only?: readonly string[] | undefined;
  /** Told as each part comes up. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

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
  /** Resolves when every role has caught up with what was on the log at its start. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the parts of the profile and starts the roles. A failure closes what was started. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { configuration, only, onProgress } = options;
  const chosen = only === undefined ? roles : roles.filter(({ name }) => only.includes(name));
  const unknown = (only ?? []).filter((name) => !roles.some((role) => role.name === name));
  if (unknown.length > 0) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `there is no service or topology ${unknown.join(', ')}; there are ${roles.map(({ name }) => name).join(', ')}`,
    );
  }
  const opened = await openParts(configuration);
  const running: Running[] = [];
  let runtime: Runtime | undefined;
  let probes: Awaited<ReturnType<typeof startProbeServer>> | undefined;
  let health: Health | undefined;
  const close = async (): Promise<void> => {
    health?.isClosing();
    for (const part of running.splice(0).reverse()) await part.close();
    await probes?.close();
    await runtime?.close();
    await opened.close();
  };
  try {
    runtime = await createRuntime(opened.parts, {
      snapshotEveryRecords: configuration['engine.snapshot_every_records'],
      replication: configuration['kafka.replication'],
    });
    const metrics = new Registry();
    exportMetrics(metrics, runtime);
    const shared: SharedParts = {};
    const healthOfThis = (health = new Health(runtime));
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
    for (const role of chosen) {
      running.push(await role.start({ runtime, configuration, metrics, shared, health: healthOfThis }));
      onProgress?.(role.name);
    }
    if (shared.url !== undefined) opened.setAddress(shared.url);
    const ready = Promise.all(running.map((part) => part.ready())).then(() => healthOfThis.isUp());
    ready.catch(() => undefined);
    return {
      runtime,
      metrics,
      url: shared.url,
      grpc: shared.grpc,
      probesUrl: shared.url ?? probes?.url,
      provenance: shared.provenance,
      inFlight,
      ready: () => ready,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
