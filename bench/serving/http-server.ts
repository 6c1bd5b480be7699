/** Serves for `http.ts` and others: `gateway` (models `iris` and `graph`), `platform` (all of it, `iris` monitored) or `bare`. Says its addresses, then its CPU time whenever asked. */
import { readFile } from 'node:fs/promises';
import { fastify } from 'fastify';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Registry } from 'prom-client';
import { createGateway } from '../../services/gateway/gateway.ts';
import { irisModel, openServingBench } from './serving-bench.ts';

interface Addresses {
  readonly url: string;
  /** host:port */
  readonly grpc?: string;
}

async function serveGateway(): Promise<Addresses> {
  const { runtime, server } = await openServingBench();
  const gateway = await createGateway({
    runtime,
    inference: server,
    queries: {} as never,
    metrics: new Registry(),
    version: 'bench',
    port: 0,
    grpcPort: 0,
  });
  return await gateway.listen();
}

async function serveBare(): Promise<Addresses> {
  const session = await InferenceSession.create(await readFile(irisModel), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const app = fastify();
  app.post('/v2/models/iris/infer', async (request) => {
    const { inputs } = request.body as { inputs: { data: number[]; shape: number[] }[] };
    const [input] = inputs;
    const answers = await session.run({ X: new Tensor('float32', Float32Array.from(input!.data), input!.shape) });
    return {
      model_name: 'iris',
      outputs: Object.entries(answers).map(([name, { type, dims, data }]) => ({
        name,
        datatype: type === 'int64' ? 'INT64' : 'FP32',
        shape: dims,
        data: Array.from(data as Float32Array, Number),
      })),
    };
  });
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }) };
}

/** Loaded only then: memory of the others is measured. */
async function servePlatform(): Promise<Addresses> {
  const { serveMonitored } = await import('../monitoring/serve-monitored.ts');
  return await serveMonitored();
}

const kinds = { bare: serveBare, gateway: serveGateway, platform: servePlatform };
const addresses = await kinds[process.argv[2] as keyof typeof kinds]();
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ ...addresses, cpuUs: user + system });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ...addresses, cpuUs: 0 });
