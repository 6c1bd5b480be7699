/** A log of very many predictions, made once and kept outside of the project: written straight to the log, from the bytes of one. */
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import { createRuntime } from '../../runtime/engine/create-runtime.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import { openParts } from '../../runtime/profiles/open-parts.ts';
import { predictionId } from '../../schemas/derived-ids.ts';
import { inputDigest } from '../../schemas/input-digest.ts';
import { provenance } from '../../services/provenance/projection.ts';
import { completed, tensor } from '../../test/topologies/prediction-events.ts';
import { costLine, costOf } from '../figures.ts';
import { irisDocument, irisModel } from '../serving/serving-bench.ts';

export const idOf = (n: number, partitions: number): string => predictionId(n % partitions, 'bench', n);
const perCall = 5_000;

export interface ManyPredictions {
  readonly configuration: Configuration;
  readonly runtime: Runtime;
  close(): Promise<void>;
}

/** So many predictions of the deployment `iris`, the version of its model and the model's file; `MILLRACE_BENCH_DATA` is the folder of such logs. */
export async function openManyPredictions(count: number): Promise<ManyPredictions> {
  const folder = process.env['MILLRACE_BENCH_DATA'] ?? join(homedir(), '.cache', 'millrace', 'bench');
  const directory = join(folder, `predictions-${count}-${provenance.version}`);
  const whole = join(directory, '.complete');
  const fresh = !existsSync(whole);
  if (fresh) await rm(directory, { recursive: true, force: true });
  const configuration = resolveConfiguration({ flags: { directory, 'log.level': 'warn' }, environment: {} });
  const opened = await openParts(configuration);
  const runtime = await createRuntime(opened.parts);
  if (fresh) {
    console.log(costLine('predictions written to the log', count, await costOf(() => write(runtime, count))));
    await writeFile(whole, '');
  }
  return {
    configuration,
    runtime,
    close: async () => {
      await runtime.close();
      await opened.close();
    },
  };
}

async function write(runtime: Runtime, count: number): Promise<void> {
  const { log, blobs } = runtime.parts;
  const file = await readFile(irisModel);
  const { hash } = await blobs.put(file);
  const artifact = { name: 'iris', hash, sizeBytes: file.length, codec: 'onnx' };
  const registered = { ...{ model: 'iris', version: 1, requestId: 'bench', runId: null, taskId: null, flow: null } };
  const about = { metrics: {}, tags: {}, description: '', actor: 'bench' };
  const document = irisDocument(hash, 1);
  const applied = { deployment: 'iris', version: 1, requestId: 'bench', document, actor: 'bench' };
  const inputs = [tensor('X', [1, 4], [5.1, 3.5, 1.4, 0.2])];
  const partitions = runtime.partitions('predictions');
  const first = completed(0, {
    ...{ predictionId: idOf(0, partitions), entity: entityOf(0), inputs, inputDigest: inputDigest(inputs) },
    ...{ deployment: 'iris', route: 'only', model: 'iris', artifactHash: hash, receivedAt: Date.now() },
  });
  const place = { topic: 'predictions', type: 'prediction-completed', partition: 0 } as const;
  await runtime.publish([
    {
      topic: 'registry',
      type: 'version-registered',
      key: 'iris',
      id: 'v',
      data: { ...registered, artifact, ...about },
    },
    { topic: 'deployment-events', type: 'deployment-applied', key: 'iris', id: 'd', data: applied },
    { ...place, key: entityOf(0), id: idOf(0, partitions), data: first },
  ]);
  const topic = runtime.topic('predictions');
  const { value, headers } = await firstOf(log.read({ topic, partition: 0 }, { from: 0, to: 1 }));
  if (value === null) throw new Error('the first prediction has no value');
  const [idAt, entityAt] = [value.indexOf(idOf(0, partitions)), value.indexOf(entityOf(0))];
  for (let from = 1; from < count; from += perCall) {
    const records = Array.from({ length: Math.min(perCall, count - from) }, (_, index) => {
      const n = from + index;
      const [id, key] = [idOf(n, partitions), entityOf(n)];
      const bytes = Buffer.from(value);
      bytes.write(id, idAt, 'latin1');
      bytes.write(key, entityAt, 'latin1');
      return {
        topic,
        partition: n % partitions,
        key,
        value: bytes,
        headers: { ...headers, ce_id: id, ce_subject: key },
      };
    });
    await log.append(records);
  }
}

/** All of one length. */
function entityOf(n: number): string {
  return `entity-${String(n % 100_000).padStart(8, '0')}`;
}

async function firstOf(pages: AsyncIterable<readonly LogRecord[]>): Promise<LogRecord> {
  for await (const [record] of pages) if (record !== undefined) return record;
  throw new Error('the first prediction is not on the log');
}
