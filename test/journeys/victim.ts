/**
 * The process that the kill test kills: the whole platform in one process, and an application that wants 20 runs, a stream of predictions and
 * feedback for each. Whatever was acknowledged before is on the log, so a new victim goes on where the last one died.
 * It exits 0 when everything that it wants is there. Arguments: the directory, how many predictions and
 * runs, and where the tests' sources lie.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { armCrashPoint } from '../../runtime/engine/crash-points.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { partitionOf } from '../../schemas/partitioner.ts';
import { connect } from '../../sdk/client/index.ts';
import { deployment } from '../../sdk/deployment/index.ts';
import { startPlatform } from '../../services/all-in-one/platform.ts';

const [directory = '', predictionsText = '200', runsText = '20', sources = ''] = process.argv.slice(2);
const wantedPredictions = Number(predictionsText);
const wantedRuns = Number(runsText);

const configuration = resolveConfiguration({
  environment: process.env,
  flags: { directory, 'http.port': '0', 'worker.slots': '2' },
});
const platform = await startPlatform({ configuration });
const { runtime } = platform;
const client = connect({ url: platform.url });

const answers = new Map<string, string>();
const rewarded = new Set<string>();
const runs = new Map<string, string>();
const followers = [
  await runtime.follow('predictions', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'prediction-completed' && data.clientId !== null) answers.set(data.clientId, data.predictionId);
    },
  }),
  await runtime.follow('rewards', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'reward-recorded') rewarded.add(data.predictionId);
    },
  }),
  await runtime.follow('runs', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'run-requested') runs.set(data.runId, runs.get(data.runId) ?? 'running');
      else if (type === 'run-completed' || type === 'run-failed') runs.set(data.runId, type);
    },
  }),
];
await platform.ready();
await Promise.all(followers.map((follower) => follower.ready()));

// Set-up: each call has a key, so that asking again changes nothing.
const model = await runtime.parts.blobs.put(readFileSync(join(sources, 'models/iris-logreg.onnx')));
await runtime.publish([
  {
    topic: 'registry',
    type: 'version-requested',
    key: 'iris',
    id: 'setup-version',
    data: {
      model: 'iris',
      requestId: 'setup-version',
      runId: null,
      taskId: null,
      flow: null,
      artifact: { name: 'model', hash: model.hash, sizeBytes: model.sizeBytes, codec: 'onnx' },
      metrics: {},
      tags: {},
      alias: null,
      description: '',
      actor: 'victim',
    },
  },
]);
await eventually(
  'the model is registered',
  async () => (await client.models.show('iris').catch(() => undefined)) !== undefined,
);
await client.deploy(
  deployment('iris')
    .route('only', 'models:/iris/1')
    .features(['sepal length', 'sepal width', 'petal length', 'petal width']),
  { idempotencyKey: 'setup-deployment' },
);
const flow = await bundleFlow(join(sources, 'journeys/kill-flow.ts'));
await client.flows.deploy(flow, { idempotencyKey: 'setup-flow' });
console.log('set up');
// From here on there is work in flight whenever the process dies.
armCrashPoint(process.env['KILL_AT']);

for (let run = 0; run < wantedRuns; run++) await client.trigger('kill-test', { number: run }, { id: `trigger-${run}` });
const partitions = runtime.partitions('prediction-requests');
for (let n = 0; n < wantedPredictions; n++) {
  const clientId = `request-${n}`;
  if (answers.has(clientId)) continue;
  const body = {
    id: clientId,
    inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: [5 + (n % 7) / 10, 3.4, 1.5 + (n % 5), 0.2] }],
  };
  await runtime.parts.log.append([
    {
      topic: runtime.topic('prediction-requests'),
      partition: partitionOf(clientId, partitions),
      key: clientId,
      value: Buffer.from(JSON.stringify(body)),
      headers: { 'millrace-deployment': 'iris' },
    },
  ]);
}
await eventually('every request is answered', () => answers.size >= wantedPredictions);
for (const [clientId, predictionId] of answers) {
  if (!rewarded.has(predictionId)) await client.feedback({ predictionId, reward: 1, id: `feedback-${clientId}` });
}
await eventually('every feedback is rewarded', () => rewarded.size >= wantedPredictions);
await eventually(
  'every run has ended',
  () => [...runs.values()].filter((status) => status !== 'running').length >= wantedRuns,
);
console.log('done');
await platform.close();
process.exit(0);

async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) {
      console.error(
        `waited in vain: ${what}; answers ${answers.size}, rewards ${rewarded.size}, runs ${JSON.stringify([...runs.values()])}`,
      );
      process.exit(1);
    }
    await new Promise<void>((resolve) => setTimeout(resolve, 10));
  }
}
