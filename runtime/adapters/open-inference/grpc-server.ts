/** A model of another server over gRPC: inputs as raw contents, outputs as raw or typed ones. */
import { type CallOptions, Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, MillraceError, type Tensor } from '../../ports/index.ts';
import { parseData } from '../../tensors/json/parse-data.ts';
import { datatypeOf, shapeOf } from '../../tensors/json/tensor-fields.ts';
import { bytesOfData, dataOfBytes, textOfBytes } from '../../tensors/raw-bytes.ts';
import type { RemoteAddress } from './remote-address.ts';
import { type RemoteServer, specOf, type WireSpec } from './remote-server.ts';
import { type CallName, wireService, type WireTensor } from './wire.ts';

const elementsMax = 2 ** 26;

interface WireAnswer {
  readonly outputs: readonly WireTensor[];
  readonly raw_output_contents: readonly Uint8Array[];
}

export class GrpcInferenceServer implements RemoteServer {
  readonly #address: RemoteAddress;
  readonly #client: Client;

  constructor(address: RemoteAddress) {
    this.#address = address;
    const security = address.tls ? credentials.createSsl() : credentials.createInsecure();
    this.#client = new Client(address.server, security, {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Trying again is decided in one place.
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    });
  }

  async describe(timeoutMs: number): ReturnType<RemoteServer['describe']> {
    const { model: name, version } = this.#address;
    const { platform, inputs, outputs } = await this.#call<{
      readonly platform: string;
      readonly inputs: readonly WireSpec[];
      readonly outputs: readonly WireSpec[];
    }>('ModelMetadata', { name, version }, timeoutMs);
    const said = platform === '' ? undefined : platform.slice(0, 100);
    return { platform: said, inputs: inputs.map(specOf), outputs: outputs.map(specOf) };
  }

  async infer(inputs: readonly Tensor[], timeoutMs: number): Promise<readonly Tensor[]> {
    const { model: model_name, version: model_version } = this.#address;
    const { outputs, raw_output_contents: raw } = await this.#call<WireAnswer>(
      'ModelInfer',
      {
        model_name,
        model_version,
        inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
        raw_input_contents: inputs.map(({ datatype, data }) => bytesOfData(datatype, data)),
      },
      timeoutMs,
    );
    return outputs.map((output, index): Tensor => {
      const { name } = output;
      const datatype = datatypeOf(name, output.datatype);
      const shape = shapeOf(name, output.shape.map(Number), { rankMax: 16, elementsMax });
      const bytes = raw[index];
      if (bytes !== undefined) {
        const elements = shape.reduce((product, size) => product * size, 1);
        return { name, datatype, shape, data: dataOfBytes(name, datatype, elements, bytes) };
      }
      const values = Object.values(output.contents ?? {}).find((list) => list.length > 0) ?? [];
      return {
        name,
        datatype,
        shape,
        data: parseData(
          { name, datatype, shape },
          values.map((value, at) => plain(name, at, value)),
        ),
      };
    });
  }

  close(): void {
    this.#client.close();
  }

  #call<A>(name: CallName, message: object, timeoutMs: number): Promise<A> {
    const { path, requestSerialize, responseDeserialize } = wireService[name];
    const options: CallOptions = { deadline: Date.now() + timeoutMs };
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, options, (error, answer) => {
        if (error === null && answer !== undefined) resolve(answer as A);
        else reject(this.#failure(error, timeoutMs));
      });
    });
  }

  #failure(error: ServiceError | null, timeoutMs: number): MillraceError {
    const { server } = this.#address;
    if (error === null) return new MillraceError('USER_CODE_FAILED', `${server} answered nothing`);
    if (error.code === status.DEADLINE_EXCEEDED) {
      return new MillraceError('TIMEOUT', `${server} did not answer within ${timeoutMs} ms`, { cause: error });
    }
    const code = codes[error.code] ?? 'USER_CODE_FAILED';
    const untouched =
      error.code === status.RESOURCE_EXHAUSTED || /ECONNREFUSED|No connection established/.test(error.details);
    return new MillraceError(code, `${server} answered ${status[error.code]}: ${error.details.slice(0, 500)}`, {
      cause: error,
      details: { untouched },
    });
  }
}

const codes: Readonly<Record<number, ErrorCode>> = {
  [status.INVALID_ARGUMENT]: 'INVALID_ARGUMENT',
  [status.OUT_OF_RANGE]: 'INVALID_ARGUMENT',
  [status.NOT_FOUND]: 'UNAVAILABLE',
  [status.UNAVAILABLE]: 'UNAVAILABLE',
  [status.RESOURCE_EXHAUSTED]: 'UNAVAILABLE',
  [status.ABORTED]: 'UNAVAILABLE',
};

/** Typed contents as JSON would have them. */
function plain(name: string, index: number, value: unknown): unknown {
  if (value instanceof Uint8Array) return textOfBytes(name, index, value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
