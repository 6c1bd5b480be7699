/** The suite on models of another server, over HTTP and gRPC: the server is a gateway of this platform with ONNX models. */
import { afterAll, beforeAll } from 'vitest';
import { createRemoteRuntime } from '../../../runtime/adapters/open-inference/remote-runtime.ts';
import { serveModels, type Served } from '../../services/gateway/served-models.ts';
import { type ModelRuntimeFixture, modelNames } from './fixture.ts';
import { modelRuntimeConformance } from './model-runtime-suite.ts';

let served: Served;
let http = '';
let grpc = '';
beforeAll(async () => {
  served = await serveModels(modelNames, { grpcPort: 0 });
  const listening = await served.gateway.listen();
  http = listening.url;
  grpc = listening.grpc ?? '';
});
afterAll(() => served.close());

const listing = (source: string): Uint8Array => Buffer.from(JSON.stringify({ source, files: [] }));
const hostOf = (url: string): string => url.replace('http://', '');

function fixture(address: (model: string) => string): ModelRuntimeFixture {
  const runtime = createRemoteRuntime({ servers: [hostOf(http), grpc] });
  return {
    load: (name) => runtime.load(listing(address(name))),
    loadRefused: (bytes) => runtime.load(bytes),
    refusedFiles: [
      { bytes: Buffer.from('{"source": "'), says: /no list of a model/ },
      { bytes: Buffer.from('{"source": 1, "files": []}'), says: /no list of a model/ },
      { bytes: listing('http://127.0.0.1:1/models/iris'), says: /is no model of an Open Inference Protocol server/ },
      { bytes: listing('grpc://no-port/iris'), says: /is no model of an Open Inference Protocol server/ },
      { bytes: listing('http://169.254.169.254/v2/models/iris'), says: /169\.254\.169\.254:80 is not among/ },
      { bytes: listing('http://user@127.0.0.1:1/v2/models/iris'), says: /is no model of an Open Inference/ },
    ],
  };
}

modelRuntimeConformance('Open Inference Protocol over HTTP', () => fixture((name) => `${http}/v2/models/${name}`));
modelRuntimeConformance('Open Inference Protocol over gRPC', () => fixture((name) => `grpc://${grpc}/${name}`));
