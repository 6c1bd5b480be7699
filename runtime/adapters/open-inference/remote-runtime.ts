/**
 * ModelRuntime for models on another server of the Open Inference Protocol, such as MLServer or Triton. The "file" is a listing without
 * files whose source is the model's address. Only servers that the operator names are asked.
 *
 * A call has a time limit. It is made again, within that limit, only when it surely did not run: no connection came about, or the server
 * said that it is busy. After failures in a row the server is left alone for a while (`circuit-breaker.ts`).
 */
import {
  type LoadedModel,
  MillraceError,
  type ModelRuntime,
  type ModelSignature,
  type Tensor,
} from '../../ports/index.ts';
import { readListing } from '../mlflow-model/listing.ts';
import { createInputCheck, type TensorCheck } from '../tensors/check-tensors.ts';
import { RunsUnderWay } from '../tensors/runs-under-way.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { parseRemoteAddress, type RemoteAddress } from './remote-address.ts';
import type { RemoteServer } from './remote-server.ts';

export interface RemoteRuntimeOptions {
  /** host:port of servers that may be asked. @default none */
  readonly servers?: readonly string[] | undefined;
  /** Of one call, repeats included. @default 10000 */
  readonly timeoutMs?: number | undefined;
  /** Calls at once of one model. @default 8 */
  readonly callsMax?: number | undefined;
  /** Of asking what the model takes. @default 15000 */
  readonly loadTimeoutMs?: number | undefined;
}

/** Beyond the errors of the port: UNAVAILABLE when the server is away or does not know the model, TIMEOUT, USER_CODE_FAILED for its own faults. */
export function createRemoteRuntime(options: RemoteRuntimeOptions = {}): ModelRuntime {
  const { servers = [], timeoutMs = 10_000, callsMax = 8, loadTimeoutMs = 15_000 } = options;
  return {
    async load(bytes) {
      const { source } = readListing(bytes);
      const address = parseRemoteAddress(source);
      if (!servers.includes(address.host)) {
        const known = servers.length === 0 ? 'none is allowed' : `allowed are ${servers.join(', ')}`;
        throw new MillraceError(
          'MODEL_REFUSED',
          `model refused: the server ${address.host} is not among model_server.remote_servers (${known})`,
        );
      }
      const server = await connect(address);
      try {
        const described = await server.describe(loadTimeoutMs);
        const signature = signatureOf(source, described);
        return new RemoteModel(address, server, signature, { timeoutMs, callsMax, platform: described.platform });
      } catch (error) {
        server.close();
        throw error;
      }
    },
  };
}

/** The client library of a protocol is loaded with its first model. */
async function connect(address: RemoteAddress): Promise<RemoteServer> {
  if (address.protocol === 'http') return new (await import('./http-server.ts')).HttpInferenceServer(address);
  return new (await import('./grpc-server.ts')).GrpcInferenceServer(address);
}

function signatureOf(source: string, { inputs, outputs }: Pick<ModelSignature, 'inputs' | 'outputs'>): ModelSignature {
  if (inputs.length === 0) {
    throw new MillraceError(
      'MODEL_REFUSED',
      `model refused: ${source} describes no inputs, so that nothing could be checked: give it inputs and outputs (MLServer: in its model-settings.json)`,
    );
  }
  const firsts = [...inputs, ...outputs].map(({ shape }) => shape[0]);
  const [first] = firsts;
  const alike = first !== undefined && firsts.every((size) => size === first);
  return { inputs, outputs, batch: !alike ? 'none' : first === -1 ? 'dynamic' : first };
}

const retryMs = 50;

interface RemoteModelSettings {
  readonly timeoutMs: number;
  readonly callsMax: number;
  readonly platform: string | undefined;
}

class RemoteModel implements LoadedModel {
  readonly platform: string;
  readonly signature: ModelSignature;
  readonly callsMax: number;
  readonly #server: RemoteServer;
  readonly #timeoutMs: number;
  readonly #check: TensorCheck;
  readonly #runs: RunsUnderWay;
  readonly #breaker: CircuitBreaker;

  constructor(
    address: RemoteAddress,
    server: RemoteServer,
    signature: ModelSignature,
    { timeoutMs, callsMax, platform = 'open_inference' }: RemoteModelSettings,
  ) {
    this.platform = platform;
    this.signature = signature;
    this.callsMax = callsMax;
    this.#server = server;
    this.#timeoutMs = timeoutMs;
    this.#check = createInputCheck(signature);
    this.#breaker = new CircuitBreaker({ server: address.server, now: Date.now });
    this.#runs = new RunsUnderWay(() => Promise.resolve(server.close()));
  }

  async run(inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
    this.#runs.enter();
    try {
      this.#check(inputs);
      const outputs = await this.#breaker.call(() => this.#ask(inputs));
      const byName = new Map(outputs.map((output) => [output.name, output]));
      const ordered = this.signature.outputs.map(({ name }) => byName.get(name));
      return ordered.every((output) => output !== undefined) && ordered.length > 0 ? ordered : outputs;
    } finally {
      this.#runs.leave();
    }
  }

  close(): Promise<void> {
    return this.#runs.close();
  }

  async #ask(inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
    const end = Date.now() + this.#timeoutMs;
    for (let waitMs = retryMs; ; waitMs *= 2) {
      try {
        return await this.#server.infer(inputs, Math.max(1, end - Date.now()));
      } catch (error) {
        const again = error instanceof MillraceError && error.details['untouched'] === true;
        if (!again || Date.now() + waitMs >= end) throw error;
      }
      await new Promise<void>((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
