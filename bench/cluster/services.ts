import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { laneServices } from '../../test/services/lane-services.ts';
import { freePorts, runScript, startService } from '../../test/services/service-scripts.ts';

/** Starts the named services of the test lane on free ports, runs the work with their addresses, and stops them whatever happens. */
export async function withServices<T>(
  names: readonly string[],
  work: (addresses: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const data = await mkdtemp(join(tmpdir(), 'millrace-bench-services-'));
  const services = laneServices(await freePorts())
    .filter(({ name }) => names.includes(name))
    .map((service) => ({ service, environment: { ...service.environment, MILLRACE_DATA: data } }));
  const stop = async (): Promise<void> => {
    for (const { service, environment } of services)
      if (service.down !== undefined) await runScript(service.down, environment);
    await rm(data, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stop().then(() => process.exit(130)));
  try {
    const addresses: Record<string, string> = {};
    for (const { service, environment } of services) {
      const outcome = await startService(service, environment);
      if (typeof outcome === 'string') throw new Error(`${service.name} could not be started: ${outcome}`);
      Object.assign(addresses, outcome);
    }
    return await work(addresses);
  } finally {
    await stop();
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
