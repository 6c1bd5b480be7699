/** A gateway on a whole runtime in memory, with the topologies that decide. Models and queries are played. */
import { Registry } from 'prom-client';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { ModelVersionRow } from '../../../schemas/events.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../../services/gateway/gateway.ts';
import type { Inference, OpenInferRequest } from '../../../services/gateway/inference.ts';
import type { Queries } from '../../../services/gateway/queries.ts';
import { deployments } from '../../../topologies/deployments.ts';
import { registry } from '../../../topologies/registry.ts';

export const local = { host: 'localhost' };

export interface Fixture {
  readonly gateway: Gateway;
  readonly test: TestRuntime;
  /** Requests that reached the played model server. */
  readonly asked: OpenInferRequest[];
  /** Everything on a topic so far. */
  events(topic: 'operations' | 'deployment-events' | 'registry' | 'runs' | 'starts'): Promise<readonly Seen[]>;
  registerModel(model: string, alias?: string): Promise<ModelVersionRow>;
  close(): Promise<void>;
}

export interface Seen {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const queries: Queries = {
  runOfRequest: () => Promise.resolve(undefined),
  listRuns: ({ limit }) => Promise.resolve({ runs: [{ runId: 'a'.repeat(32), limit } as never], next: null }),
  listArtifacts: () => Promise.resolve({ artifacts: [], next: null }),
  showRun: () => Promise.resolve(undefined),
  placeOfRun: () => Promise.resolve(undefined),
  listAttempts: () => Promise.resolve([]),
  listLines: () => Promise.resolve([]),
  listCheckpoints: () => Promise.resolve([]),
  listHeardCards: () => Promise.resolve([]),
  listOperations: () => Promise.resolve([]),
  deploymentHistory: () => Promise.resolve([]),
  listFindings: () => Promise.resolve([]),
  explainEvent: () => Promise.resolve(undefined),
  waitingEvents: () => Promise.resolve([]),
  flowHistory: () => Promise.resolve([]),
  listSlots: () => Promise.resolve([]),
  completedSlots: () => Promise.resolve([]),
  waitingStarts: () => Promise.resolve([]),
  flowActivity: () => Promise.resolve(new Map()),
  explainRoute: (id) => Promise.reject(new MillraceError('NOT_FOUND', `there is no prediction '${id}'`)),
  placeOfPrediction: () => Promise.resolve(undefined),
  shadowTraffic: () => Promise.resolve([]),
  deploymentAt: () => Promise.resolve(undefined),
  explain: (id) => Promise.reject(new MillraceError('NOT_FOUND', `nothing is known under '${id}'`)),
};

export async function openGateway(options: Partial<GatewayOptions> = {}): Promise<Fixture> {
  const test = await createTestRuntime();
  const { runtime } = test;
  await Promise.all([runtime.runTopology(registry), runtime.runTopology(deployments)]);
  const asked: OpenInferRequest[] = [];
  const inference: Inference = {
    inferOpen: (request) => {
      asked.push(request);
      const predictionId = '0'.repeat(32);
      if (request.deployment !== 'iris') {
        const message = `there is no deployment '${request.deployment}'`;
        return Promise.resolve({ type: 'failed', predictionId, code: 'NOT_FOUND', message });
      }
      return Promise.resolve({
        type: 'completed',
        predictionId,
        route: 'main',
        body: { model_name: 'iris', outputs: [] },
      });
    },
    describe: (name) =>
      name === 'iris'
        ? Promise.resolve({
            name,
            version: 3,
            platform: 'onnxruntime_onnx',
            signature: { inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, 4] }], outputs: [] },
          })
        : Promise.reject(new MillraceError('NOT_FOUND', `there is no deployment '${name}'`)),
    warm: () => Promise.resolve(),
    readiness: () => Promise.resolve([]),
    repository: () => [{ name: 'iris', version: 3, loaded: true }],
    unload: () => Promise.resolve(),
    deployments: () => [{ name: 'iris', version: 3 }],
  };
  const gateway = await createGateway({
    runtime,
    inference,
    queries,
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    decisionTimeoutMs: 20_000,
    actor: 'os-user',
    ...options,
  });
  return {
    gateway,
    test,
    asked,
    events: async (topic) => {
      const seen: Seen[] = [];
      for (let partition = 0; partition < runtime.partitions(topic); partition++) {
        const place = { topic: runtime.topic(topic), partition };
        for await (const batch of runtime.parts.log.read(place, { from: 0 })) {
          for (const record of batch) {
            if (record.value === null || record.value.length === 0) continue;
            const event = await runtime.decode(topic, record);
            seen.push({ id: event.id, type: event.type, data: event.data as unknown as Record<string, unknown> });
          }
        }
      }
      return seen;
    },
    registerModel: async (model, alias) => {
      const table = await runtime.openTable('models');
      const requestId = runtime.parts.ids.next();
      const artifact = { name: 'onnx', hash: requestId + requestId, sizeBytes: 1, codec: 'onnx' };
      const data = {
        model,
        requestId,
        runId: null,
        taskId: null,
        flow: null,
        artifact,
        metrics: {},
        tags: {},
        alias: alias ?? null,
        description: '',
        actor: 'test',
      };
      await runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: model, id: requestId }]);
      const deadline = Date.now() + 20_000;
      for (;;) {
        await table.refresh();
        const row = table.rows().find((candidate) => candidate.artifact.hash === artifact.hash);
        if (row !== undefined && (alias === undefined || row.aliases.includes(alias))) {
          await table.close();
          return row;
        }
        if (Date.now() > deadline) throw new Error('the model was not registered');
        await new Promise<void>((resolve) => setTimeout(resolve, 2));
      }
    },
    close: async () => {
      await gateway.close();
      await test.close();
    },
  };
}
