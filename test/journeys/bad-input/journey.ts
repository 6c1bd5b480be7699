/** A whole platform on the embedded log with one good deployment and one good flow, and what its log says of each record that came. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleFlow } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import type { Running } from '../../../runtime/engine/runtime.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';

export type OpenTopic = 'prediction-requests' | 'triggers' | 'feedback';

export interface Sent {
  readonly value: Uint8Array | string | null;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What the log says of a record of an open topic. */
export interface Said {
  /** `prediction-failed`, `trigger-handled`, … */
  readonly type: string;
  /** Code and message, outcome, or reason. */
  readonly text: string;
  readonly predictionId: string;
  readonly triggerId: string;
}

export interface Journey {
  readonly platform: Platform;
  readonly client: Client;
  /** For files of the test's own. */
  readonly directory: string;
  /** Appends to one partition, in this order, as any producer would; answers their places, `topic@partition@offset`. */
  send(topic: OpenTopic, records: readonly Sent[]): Promise<readonly string[]>;
  /** Everything that was said of the record at a place, so far. */
  said(place: string): readonly Said[];
  /** Waits for the first. */
  outcome(place: string): Promise<Said>;
  /** Failed predictions of an entity, by their ids. */
  failedOf(entity: string): readonly string[];
  /** By run: how it ended, and by which cause it began. */
  readonly runs: ReadonlyMap<string, { readonly cause: string; readonly ended: string }>;
  /** Sum over the tasks of a service or topology. */
  counter(task: string, name: string): number;
  close(): Promise<void>;
}

export const modelsFolder = fileURLToPath(new URL('../../models/', import.meta.url));
const flowFile = fileURLToPath(new URL('flow.ts', import.meta.url));
/** All bad and good records lie in one partition of their topic. */
const partition = 0;

/** `files` of test/models are registered as models of that name by a run of the flow. */
export async function openJourney(files: readonly string[]): Promise<Journey> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bad-input-'));
  const flags = {
    directory: join(directory, 'millrace'),
    'http.port': '0',
    'worker.slots': '2',
    'log.level': 'silent',
  };
  const platform = await startPlatform({ configuration: resolveConfiguration({ flags, environment: {} }) });
  const { runtime } = platform;
  const client = connect({ url: platform.url! });
  const facts = new Map<string, Said[]>();
  const failures: { readonly entity: string; readonly predictionId: string }[] = [];
  const runs = new Map<string, { cause: string; ended: string }>();
  const note = (type: string, data: object): void => {
    const fact = data as Record<string, string> & {
      readonly source?: { topic: string; partition: number; offset: number };
    };
    if (fact.source === undefined || fact.source === null) return;
    const { topic, partition: of, offset } = fact.source;
    const place = `${topic}@${of}@${offset}`;
    const text = [fact['code'], fact['message'], fact['outcome'], fact['reason']].filter(Boolean).join(' ');
    const { predictionId = '', triggerId = '' } = fact;
    facts.set(place, [...(facts.get(place) ?? []), { type, text, predictionId, triggerId }]);
  };
  const followers: Running[] = [
    await runtime.follow('predictions', {
      from: 'earliest',
      onEvent: ({ type, data }) => {
        note(type, data);
        if (type === 'prediction-failed') failures.push({ entity: data.entity, predictionId: data.predictionId });
      },
    }),
    await runtime.follow('operations', { from: 'earliest', onEvent: ({ type, data }) => note(type, data) }),
    await runtime.follow('runs', {
      from: 'earliest',
      onEvent: ({ type, data }) => {
        if (type === 'run-requested') runs.set(data.runId, { cause: data.cause.id, ended: '' });
        if (type === 'run-completed') runs.set(data.runId, { ...runs.get(data.runId)!, ended: 'completed' });
        if (type === 'run-failed')
          runs.set(data.runId, { ...runs.get(data.runId)!, ended: `failed: ${data.step}: ${data.message}` });
      },
    }),
  ];
  const said = (place: string): readonly Said[] => facts.get(place) ?? [];
  const journey: Journey = {
    platform,
    client,
    directory,
    send: async (topic, records) => {
      const outgoing = records.map(({ value, headers = {} }) => ({
        topic: runtime.topic(topic),
        partition,
        key: 'stone',
        value: typeof value === 'string' ? Buffer.from(value) : value,
        headers,
      }));
      const offsets = await runtime.parts.log.append(outgoing);
      return offsets.map((offset) => `${topic}@${partition}@${offset}`);
    },
    said,
    outcome: (place) => eventually(`the outcome of ${place}`, () => said(place)[0]),
    failedOf: (wanted) => failures.filter(({ entity }) => entity === wanted).map(({ predictionId: failed }) => failed),
    runs,
    counter: (task, name) =>
      runtime
        .stats()
        .filter((one) => one.task.startsWith(`${task}/`))
        .reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0),
    close: async () => {
      for (const follower of followers) await follower.close();
      await platform.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await platform.ready();
    const flow = await bundleFlow(flowFile);
    await client.flows.deploy(flow);
    const { runId } = await client.flows.run(flow, { folder: modelsFolder, files: ['iris-logreg', ...files] });
    await eventually('the models are registered', () => {
      const ended = runs.get(runId)?.ended ?? '';
      if (ended.startsWith('failed')) throw new Error(ended);
      return ended === 'completed';
    });
    await eventually('the model is there', () => client.models.show('iris-logreg').catch(() => undefined));
    await client.deploy(await readFile(new URL('iris.yaml', import.meta.url), 'utf8'));
    return journey;
  } catch (error) {
    await journey.close();
    throw error;
  }
}
