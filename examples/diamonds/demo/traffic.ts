/**
 * The applications of the demo: they stream requests to the open topic, read the answers from `predictions`, and tell the truth
 * later. They know the log and the documented formats only.
 */
import type { Platform } from '../../../services/all-in-one/platform.ts';
import { predictionIdOfClient } from '../../../schemas/derived-ids.ts';
import { partitionOf } from '../../../schemas/partitioner.ts';
import { type Diamond, diamondKey } from '../data.ts';
import { encodeDiamonds, features } from '../features.ts';

export interface Answer {
  readonly predictionId: string;
  readonly route: string;
  readonly price: number;
  readonly atMs: number;
}

export interface Traffic {
  /** First outcome by client id. */
  readonly answers: Map<string, Answer>;
  readonly failures: Map<string, string>;
  /** Outcomes that came again for an id that had one. */
  repeats: number;
}

export const deploymentName = 'diamonds';
const batchRows = 500;

/** Collects what the platform says on `predictions` for requests with a client id. */
export async function readAnswers(platform: Platform): Promise<Traffic> {
  const traffic: Traffic = { answers: new Map(), failures: new Map(), repeats: 0 };
  await platform.runtime.follow('predictions', {
    from: 'earliest',
    onEvent: ({ type, data, timeMs }) => {
      if (type !== 'prediction-completed' && type !== 'prediction-failed') return;
      const { clientId } = data;
      if (clientId === null) return;
      if (traffic.answers.has(clientId) || traffic.failures.has(clientId)) traffic.repeats += 1;
      else if (type === 'prediction-failed') traffic.failures.set(clientId, `${data.code}: ${data.message}`);
      else
        traffic.answers.set(clientId, {
          predictionId: data.predictionId,
          route: data.route,
          price: firstNumber(data.outputs[0]?.data),
          atMs: timeMs,
        });
    },
  });
  return traffic;
}

function firstNumber(data: object | undefined): number {
  const [{ values } = { values: [] }] = Object.values(data ?? {}) as { values: readonly number[] }[];
  return values[0] ?? Number.NaN;
}

/** The id that the platform will give to a request with this client id: it follows from source, entity, deployment and client id. */
export function futurePredictionId(platform: Platform, clientId: string): string {
  const asked = { source: '', entity: clientId, deployment: deploymentName, clientId };
  return predictionIdOfClient(asked, platform.runtime.partitions('predictions'));
}

/** Streams rows as plain Open Inference Protocol JSON, keyed by entity, and hears of the progress. */
export async function streamRequests(
  platform: Platform,
  rows: readonly Diamond[],
  onSent: (rows: number) => void,
): Promise<void> {
  const { runtime } = platform;
  const partitions = runtime.partitions('prediction-requests');
  const matrix = encodeDiamonds(rows);
  for (let from = 0; from < rows.length; from += batchRows) {
    const batch = rows.slice(from, from + batchRows).map((row, index) => {
      const start = (from + index) * features.length;
      const data = [...matrix.values.subarray(start, start + features.length)];
      const body = {
        id: diamondKey(row),
        inputs: [{ name: 'features', datatype: 'FP32', shape: [1, features.length], data }],
      };
      return {
        topic: runtime.topic('prediction-requests'),
        partition: partitionOf(diamondKey(row), partitions),
        key: diamondKey(row),
        value: Buffer.from(JSON.stringify(body)),
        headers: { 'millrace-deployment': deploymentName, 'content-type': 'application/json' },
      };
    });
    await runtime.parts.log.append(batch);
    onSent(Math.min(rows.length, from + batchRows));
  }
}

export interface Told {
  readonly predictionId: string;
  readonly truth: number;
  /** Makes two tellings the same one. */
  readonly id?: string;
}

/** Streams feedback as plain JSON. */
export async function streamFeedback(platform: Platform, told: readonly Told[]): Promise<void> {
  const { runtime } = platform;
  const partitions = runtime.partitions('feedback');
  for (let from = 0; from < told.length; from += batchRows) {
    await runtime.parts.log.append(
      told.slice(from, from + batchRows).map(({ predictionId: id, truth, id: feedbackId }) => ({
        topic: runtime.topic('feedback'),
        partition: partitionOf(id, partitions),
        key: id,
        value: Buffer.from(JSON.stringify({ predictionId: id, truth })),
        headers:
          feedbackId === undefined
            ? {}
            : { ce_id: feedbackId, ce_source: '/demo', ce_specversion: '1.0', ce_type: 'feedback' },
      })),
    );
  }
}
