/** Breaks one promise on purpose, behind the platform's back, so that a test can see the demo notice it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../../../services/all-in-one/platform.ts';
import type { Monitored } from './checks.ts';
import type { Traffic } from './traffic.ts';

export const sabotages = [
  'answer-dropped',
  'feedback-counted-twice',
  'drift-silenced',
  'outliers-hidden',
  'audit-forged',
  'blob-flipped',
] as const;
export type Sabotage = (typeof sabotages)[number];

/** One answer never reaches its application. */
export function dropAnswer(traffic: Traffic): void {
  const [first] = traffic.answers.keys();
  if (first !== undefined) traffic.answers.delete(first);
}

/** What the monitors said does not arrive. */
export function silenceMonitors(which: Sabotage, monitored: Monitored): void {
  if (which === 'drift-silenced') monitored.alerts.length = 0;
  if (which === 'outliers-hidden') monitored.outliers = 0;
}

/** A second reward for a feedback that has one, written straight to the log. */
export async function forgeReward({ runtime }: Platform, monitored: Monitored): Promise<void> {
  const [reward] = monitored.rewards.values();
  const topic = runtime.topic('rewards');
  for (let partition = 0; partition < runtime.partitions('rewards'); partition++) {
    for await (const records of runtime.parts.log.read({ topic, partition }, { from: 0 })) {
      for (const record of records) {
        if (record.value === null || record.value.length === 0) continue;
        const event = await runtime.decode('rewards', record);
        if (event.type !== 'reward-recorded' || event.data.predictionId !== reward?.predictionId) continue;
        await runtime.publish([
          { topic: 'rewards', type: 'reward-recorded', key: event.key, data: event.data, id: 'forged' },
        ]);
        return;
      }
    }
  }
}

/** A link that nobody computed. */
export async function forgeAuditLink({ runtime }: Platform): Promise<void> {
  const end = (await runtime.parts.log.endOffsets(runtime.topic('predictions')))[0] ?? 1;
  const data = {
    topic: 'predictions',
    partition: 0,
    fromOffset: end,
    toOffset: end,
    records: 1,
    previous: '0'.repeat(64),
    digest: 'f'.repeat(64),
    timeMs: 0,
  };
  await runtime.publish([{ topic: 'audit', type: 'audit-linked', key: 'predictions/0', data, id: 'forged' }]);
}

/** One bit of a stored blob flips. */
export function flipBlob(directory: string, hash: string): void {
  const folder = join(directory, 'blobs');
  const name = (readdirSync(folder, { recursive: true }) as string[]).find((file) =>
    file.replaceAll(/[\\/]/g, '').includes(hash),
  );
  if (name === undefined) throw new Error(`blob ${hash} is not in ${folder}`);
  const bytes = readFileSync(join(folder, name));
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(join(folder, name), bytes);
}
