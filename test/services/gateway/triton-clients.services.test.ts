import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceAddress } from '../service-address.ts';
import { type Served, serveModels } from './served-models.ts';

const python = serviceAddress('MILLRACE_TEST_TRITON_PYTHON', 'triton-clients-up.sh');
const program = fileURLToPath(new URL('./triton_clients.py', import.meta.url));

describe.skipIf(python.missing)('tritonclient', () => {
  let served: Served;
  beforeAll(async () => {
    served = await serveModels(['iris-logreg', 'dtype-string-echo', 'dtype-float16'], { grpcPort: 0 });
  });
  afterAll(() => served.close());

  it('is served over HTTP and gRPC as by the server that it was made for', async () => {
    const { url, grpc } = await served.gateway.listen();
    const { stdout } = await promisify(execFile)(python.address, [program, new URL(url).host, grpc ?? '']);
    const { http, grpc: overGrpc } = JSON.parse(stdout) as Record<'http' | 'grpc', Record<string, unknown>>;
    const data = [5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6, 2.5];
    const body = { inputs: [{ name: 'X', datatype: 'FP32', shape: [2, 4], data }] };
    const plain = await served.post('/v2/models/iris-logreg/infer', body);
    const [labels, probabilities] = plain.json<{ outputs: { data: number[] }[] }>().outputs;
    for (const said of [http, overGrpc]) {
      expect(said).toMatchObject({
        live: true,
        ready: true,
        model_ready: true,
        server: 'millrace',
        inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, 4] }],
        id: expect.stringMatching(/^triton-/),
        label: labels?.data,
        texts: ['', 'größe ✓', 'zwei'],
        halves: 'float16',
        unloaded: ['UNAVAILABLE'],
      });
      expect((said['probabilities'] as number[][]).flat()).toEqual(probabilities?.data);
    }
    expect(http['plain']).toEqual(labels?.data);
    expect(http['wrong']).toEqual(['400', "input 'X': datatype must be FP32, got FP64"]);
    expect(http['unknown']).toEqual(['404', expect.stringContaining("there is no deployment 'nowhere'")]);
    expect(overGrpc['wrong']).toEqual(['StatusCode.INVALID_ARGUMENT', "input 'X': datatype must be FP32, got FP64"]);
    expect(overGrpc['unknown']).toEqual(['StatusCode.NOT_FOUND', expect.stringContaining("no deployment 'nowhere'")]);
  });
});
