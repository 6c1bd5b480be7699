/** A model server on a whole runtime in memory, with deployments made by their topology. */
import { partitionOf } from '../../../schemas/partitioner.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { EventOf } from '../../../schemas/events.ts';
import type { EngineParts } from '../../../runtime/engine/runtime.ts';
import type { ModelRuntime } from '../../../runtime/ports/index.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import {
  createModelServer,
  type ModelServer,
  type ModelServerOptions,
} from '../../../services/model-server/model-server.ts';
import { deployments } from '../../../topologies/deployments.ts';

export type Outcome = EventOf<'predictions'> & {
  readonly id: string;
  readonly key: string;
  readonly partition: number;
  readonly offset: number;
};

export interface ServerFixture {
  readonly test: TestRuntime;
  readonly server: ModelServer;
  /** Puts model files, deploys one route each, resolves with their hashes once the row is there. */
  deploy(name: string, ...files: readonly Uint8Array[]): Promise<readonly string[]>;
  /** Deploys a document; resolves once its row is there. */
  apply(document: DeploymentDocument): Promise<void>;
  /** Appends a record to `prediction-requests`; resolves with its partition and offset. */
  request(record: RequestRecord): Promise<{ readonly partition: number; readonly offset: number }>;
  /** Every record of `predictions`, by partition and offset. */
  outcomes(): Promise<readonly Outcome[]>;
  /** Waits for that many. */
  outcomesOf(count: number): Promise<readonly Outcome[]>;
  close(): Promise<void>;
}

export interface RequestRecord {
  readonly key?: string | undefined;
  readonly value: Uint8Array | string | null;
  /** `iris` is the header `millrace-deployment`. */
  readonly deployment?: string;
  readonly headers?: Readonly<Record<string, string | Uint8Array>>;
  readonly partition?: number;
}

export async function openServer(
  models: ModelRuntime,
  options: Partial<ModelServerOptions> & {
    readonly runService?: boolean;
    readonly parts?: Partial<EngineParts>;
  } = {},
): Promise<ServerFixture> {
  const test = await createTestRuntime(options.parts === undefined ? {} : { parts: options.parts });
  const { runtime } = test;
  await runtime.runTopology(deployments);
  const server = await createModelServer({ runtime, models, ...options });
  if (options.runService !== false) await runtime.runService(server.service);
  const table = await runtime.openTable('deployments');
  const outcomes = async (): Promise<readonly Outcome[]> => {
    const found: Outcome[] = [];
    for (let partition = 0; partition < runtime.partitions('predictions'); partition++) {
      for await (const batch of runtime.parts.log.read(
        { topic: runtime.topic('predictions'), partition },
        { from: 0 },
      )) {
        for (const record of batch) found.push(await runtime.decode('predictions', record));
      }
    }
    return found;
  };
  const apply = async (document: DeploymentDocument): Promise<void> => {
    const { name } = document;
    const before = table.get(name)?.version ?? 0;
    const requestId = runtime.parts.ids.next();
    const data = { deployment: name, requestId, document: JSON.stringify(document), actor: 'test' };
    await runtime.publish([{ topic: 'deployment-events', type: 'deploy-requested', data, key: name, id: requestId }]);
    await eventually(`deployment ${name}`, async () => {
      await table.refresh();
      return (table.get(name)?.version ?? 0) > before;
    });
  };
  return {
    test,
    server,
    deploy: async (name, ...files) => {
      const hashes = await Promise.all(files.map(async (file) => (await runtime.parts.blobs.put(file)).hash));
      await apply(documentOf(name, hashes));
      return hashes;
    },
    apply,
    request: async ({ key, value, deployment, headers = {}, partition }) => {
      const partitions = runtime.partitions('prediction-requests');
      const place = partition ?? (key === undefined ? 0 : partitionOf(key, partitions));
      const named = deployment === undefined ? {} : { 'millrace-deployment': deployment };
      const [offset] = await runtime.parts.log.append([
        {
          topic: runtime.topic('prediction-requests'),
          partition: place,
          key: key ?? null,
          value: typeof value === 'string' ? Buffer.from(value) : value,
          headers: { ...named, ...headers },
        },
      ]);
      return { partition: place, offset: offset! };
    },
    outcomes,
    outcomesOf: (count) =>
      eventually(`${count} outcomes`, async () => {
        const found = await outcomes();
        return found.length >= count ? found : undefined;
      }),
    close: async () => {
      await test.runtime.close();
      await server.close();
      await test.close();
    },
  };
}

function documentOf(name: string, hashes: readonly string[]): DeploymentDocument {
  return {
    name,
    routes: hashes.map((artifactHash, index) => ({
      name: `route-${index + 1}`,
      model: name,
      modelVersion: index + 1,
      artifactHash,
      weight: 1,
    })),
    features: [],
    feedback: { windowMs: 1_000, reward: 'negative-squared-error' },
    monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
  };
}
