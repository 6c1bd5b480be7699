/** A model of another server over HTTP: JSON, or the binary tensor data extension where the server says that it has it. */
import { MillraceError, messageOf, type Tensor } from '../../ports/index.ts';
import { jsonData } from '../../tensors/json/json-data.ts';
import { parseData } from '../../tensors/json/parse-data.ts';
import { datatypeOf, shapeOf } from '../../tensors/json/tensor-fields.ts';
import { bytesOfData, dataOfBytes } from '../../tensors/raw-bytes.ts';
import type { RemoteAddress } from './remote-address.ts';
import { type RemoteServer, specOf, type WireSpec } from './remote-server.ts';

const lengthHeader = 'inference-header-content-length';
const elementsMax = 2 ** 26;

interface Answer {
  readonly json: Readonly<Record<string, unknown>>;
  readonly binary: Uint8Array;
}

export class HttpInferenceServer implements RemoteServer {
  readonly #address: RemoteAddress;
  readonly #model: string;
  #binary = false;

  constructor(address: RemoteAddress) {
    const { server, model, version } = address;
    this.#address = address;
    const path = version === '' ? '' : `/versions/${encodeURIComponent(version)}`;
    this.#model = `${server}/v2/models/${encodeURIComponent(model)}${path}`;
  }

  async describe(timeoutMs: number): ReturnType<RemoteServer['describe']> {
    const [server, model] = await Promise.all([
      this.#call(`${this.#address.server}/v2`, undefined, timeoutMs),
      this.#call(this.#model, undefined, timeoutMs),
    ]);
    const { extensions } = server.json;
    this.#binary = Array.isArray(extensions) && extensions.includes('binary_tensor_data');
    const { inputs = [], outputs = [] } = model.json as { inputs?: readonly WireSpec[]; outputs?: readonly WireSpec[] };
    const { platform } = model.json;
    const said = typeof platform === 'string' && platform !== '' ? platform.slice(0, 100) : undefined;
    return { platform: said, inputs: inputs.map(specOf), outputs: outputs.map(specOf) };
  }

  async infer(inputs: readonly Tensor[], timeoutMs: number): Promise<readonly Tensor[]> {
    const parts = this.#binary ? inputs.map(({ datatype, data }) => bytesOfData(datatype, data)) : [];
    const body = {
      ...(this.#binary ? { parameters: { binary_data_output: true } } : {}),
      inputs: inputs.map((tensor, index) => {
        const { name, datatype, shape } = tensor;
        const part = parts[index];
        if (part === undefined) return { name, datatype, shape, data: jsonData(tensor) };
        return { name, datatype, shape, parameters: { binary_data_size: part.length } };
      }),
    };
    const { json, binary } = await this.#call(`${this.#model}/infer`, { json: JSON.stringify(body), parts }, timeoutMs);
    if (!Array.isArray(json['outputs'])) throw this.#wrong('the answer has no outputs');
    let at = 0;
    return (json['outputs'] as readonly Readonly<Record<string, unknown>>[]).map((output): Tensor => {
      const name = String(output['name']);
      const datatype = datatypeOf(name, output['datatype']);
      const shape = shapeOf(name, output['shape'], { rankMax: 16, elementsMax });
      const size = (output['parameters'] as { binary_data_size?: unknown } | undefined)?.binary_data_size;
      if (typeof size !== 'number') {
        const data = output['data'];
        if (!Array.isArray(data)) throw this.#wrong(`its output '${name}' has no data`);
        return { name, datatype, shape, data: parseData({ name, datatype, shape }, data.map(missing)) };
      }
      const elements = shape.reduce((product, length) => product * length, 1);
      const bytes = binary.subarray(at, (at += size));
      return { name, datatype, shape, data: dataOfBytes(name, datatype, elements, bytes) };
    });
  }

  close(): void {
    // Connections are the process's own.
  }

  async #call(
    url: string,
    body: { readonly json: string; readonly parts: readonly Uint8Array[] } | undefined,
    timeoutMs: number,
  ): Promise<Answer> {
    const request = body === undefined ? {} : requestOf(body.json, body.parts);
    let response: Response;
    let bytes: Uint8Array;
    try {
      response = await fetch(url, { ...request, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
      bytes = new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw this.#unreachable(error, timeoutMs);
    }
    if (!response.ok) throw this.#refusal(response.status, bytes);
    const length = Number(response.headers.get(lengthHeader) ?? bytes.length);
    try {
      return {
        json: JSON.parse(Buffer.from(bytes.subarray(0, length)).toString('utf8')) as Answer['json'],
        binary: bytes.subarray(length),
      };
    } catch {
      throw this.#wrong('the answer is no JSON');
    }
  }

  #unreachable(error: unknown, timeoutMs: number): MillraceError {
    const server = this.#address.server;
    if (error instanceof Error && error.name === 'TimeoutError') {
      return new MillraceError('TIMEOUT', `${server} did not answer within ${timeoutMs} ms`, { cause: error });
    }
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    const untouched = cause?.code === 'ECONNREFUSED' || cause?.code === 'ENOTFOUND';
    return new MillraceError('UNAVAILABLE', `${server} cannot be reached: ${cause?.message ?? messageOf(error)}`, {
      cause: error,
      details: { untouched },
    });
  }

  #refusal(status: number, bytes: Uint8Array): MillraceError {
    const text = Buffer.from(bytes.subarray(0, 2_000)).toString('utf8');
    let said = text;
    try {
      const { error, message, detail } = JSON.parse(text) as Record<string, unknown>;
      said = [error, message, detail].find((value): value is string => typeof value === 'string') ?? text;
    } catch {
      // Some proxies answer in text.
    }
    const what = `${this.#address.server} answered ${status}: ${said.slice(0, 500)}`;
    if (status === 400 || status === 422) return new MillraceError('INVALID_ARGUMENT', what);
    if (status === 404) return new MillraceError('UNAVAILABLE', what);
    if (status === 413) return new MillraceError('TOO_LARGE', what);
    const busy = status === 503 || status === 429;
    if (busy || status === 502 || status === 504) {
      return new MillraceError('UNAVAILABLE', what, { details: { untouched: busy } });
    }
    return new MillraceError('USER_CODE_FAILED', what);
  }

  #wrong(problem: string): MillraceError {
    return new MillraceError('USER_CODE_FAILED', `${this.#address.server}: ${problem}`);
  }
}

/** Servers in Python say null for NaN. */
const missing = (value: unknown): unknown => (value === null ? 'NaN' : value);

function requestOf(json: string, parts: readonly Uint8Array[]): RequestInit {
  if (parts.length === 0) return { method: 'POST', headers: { 'content-type': 'application/json' }, body: json };
  const head = Buffer.from(json, 'utf8');
  return {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', [lengthHeader]: String(head.length) },
    body: Buffer.concat([head, ...parts]),
  };
}
