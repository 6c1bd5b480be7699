/** A log with predictions of a monitored deployment of ten features, and the parts of the local profile to watch them with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import { createRuntime } from '../../runtime/engine/create-runtime.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { openParts } from '../../runtime/profiles/open-parts.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { predictionId } from '../../schemas/derived-ids.ts';
import type { PredictionCompleted } from '../../schemas/events.ts';
import { monitoringTerms } from '../../schemas/monitoring-terms.ts';
import { referenceBytes } from '../../services/scorer/reference-sample.ts';
import { columnsOf, features, monitors } from './monitored-deployment.ts';
import { completed, tensor } from '../../test/topologies/prediction-events.ts';

/** Rows of one prediction. */
export const batchRows = 100;

export interface MonitoredLog {
  readonly configuration: Configuration;
  readonly runtime: Runtime;
  /** So many rows, from that many predictions on. `perPrediction`: 1, or {@link batchRows}, which is the default. */
  write(rows: number, from?: number, perPrediction?: 1 | typeof batchRows): Promise<void>;
  /** Leaves its files. */
  closeParts(): Promise<void>;
  close(): Promise<void>;
}

/** `flags` of the configuration, such as the `directory` of a log that was there before. */
export async function openMonitoredLog(flags: Readonly<Record<string, string>> = {}): Promise<MonitoredLog> {
  const directory = flags['directory'] ?? (await mkdtemp(join(tmpdir(), 'millrace-bench-')));
  const configuration = resolveConfiguration({ flags: { 'log.level': 'warn', ...flags, directory }, environment: {} });
  const opened = await openParts(configuration);
  const runtime = await createRuntime(opened.parts);
  const { hash: referenceHash } = await runtime.parts.blobs.put(referenceBytes(columnsOf(1_000), []));
  const document: DeploymentDocument = {
    name: 'bench',
    routes: [],
    features,
    feedback: { windowMs: 60_000, reward: 'equal' },
    monitors: { ...monitors, referenceHash },
  };
  const row = { deployment: 'bench', version: 1, document: JSON.stringify(document), actor: 'bench', appliedAt: 0 };
  await runtime.publish([{ topic: 'deployments', type: 'deployment-row', key: 'bench', id: 'row', data: row }]);
  const terms = monitoringTerms(document);
  const partitions = runtime.partitions('predictions');
  const closeParts = async (): Promise<void> => {
    await runtime.close();
    await opened.close();
  };
  const tables = new Map([1, batchRows].map((rows) => [rows, Array.from({ length: 20 }, () => tableOf(rows))]));
  return {
    configuration,
    runtime,
    write: async (rows, from = 0, perPrediction = batchRows) => {
      const known = tables.get(perPrediction) ?? [];
      const last = from + rows / perPrediction;
      for (let first = from; first < last; first += 200) {
        const events = Array.from({ length: Math.min(200, last - first) }, (_, index) => {
          const n = first + index;
          const partition = n % partitions;
          const id = predictionId(partition, 'bench', n);
          const about = { predictionId: id, deployment: 'bench', receivedAt: Date.now(), terms };
          const place = { topic: 'predictions', type: 'prediction-completed', key: `e${n}`, partition, id } as const;
          return { ...place, data: completed(n, { ...about, ...known[n % known.length], rows: perPrediction }) };
        });
        await runtime.publish(events);
      }
    },
    closeParts,
    close: async () => {
      await closeParts();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function tableOf(rows: number): Pick<PredictionCompleted, 'inputs' | 'outputs'> {
  const answers = Array.from({ length: rows }, (_, row) => row / batchRows);
  return {
    inputs: columnsOf(rows).map(({ name, values }) => tensor(name, [rows, 1], values)),
    outputs: [tensor('y', [rows, 1], answers)],
  };
}
