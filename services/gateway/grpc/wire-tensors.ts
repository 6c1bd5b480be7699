/** Infer requests and answers of gRPC as those of HTTP, so that both are checked, run and recorded alike. */
import { MillraceError } from '../../../runtime/ports/index.ts';
import { textOfBytes } from '../../../runtime/tensors/raw-bytes.ts';
import type {
  WireContents,
  WireInferRequest,
  WireParameter,
  WireParameters,
  WireTensor,
} from '../../../runtime/adapters/open-inference/wire.ts';

/** The field of the typed contents that holds a datatype; FP16 has none. */
const fields: Readonly<Record<string, string>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

/** The body of the request as JSON of HTTP; raw contents are what lies behind it. Throws INVALID_ARGUMENT. */
export function openBody(request: WireInferRequest, rawAnswer: boolean): object {
  const { id, inputs, outputs, raw_input_contents: raw } = request;
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `raw_input_contents has ${raw.length} entries for ${inputs.length} inputs: each input needs one`,
    );
  }
  return {
    ...(id === '' ? {} : { id }),
    parameters: { ...plainParameters(request.parameters), binary_data_output: rawAnswer },
    inputs: inputs.map((tensor, index) => openTensor(tensor, raw[index])),
    ...(outputs.length === 0 ? {} : { outputs: outputs.map(wantedOutput) }),
  };
}

export interface OpenResponse {
  readonly model_name: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly parameters?: Readonly<Record<string, string | number | boolean>>;
    readonly data?: readonly unknown[];
  }[];
}

/** `binary`: what lies behind the JSON. */
export function wireResponse(body: OpenResponse, binary: Uint8Array | undefined): object {
  let at = 0;
  const raw: Uint8Array[] = [];
  const outputs = body.outputs.map(({ name, datatype, shape, parameters = {}, data }) => {
    const { binary_data_size: size, ...others } = parameters;
    const tensor = { name, datatype, shape, parameters: wireParameters(others) };
    if (data !== undefined) return { ...tensor, contents: contentsOf(datatype, data) };
    raw.push(binary?.subarray(at, (at += Number(size))) ?? new Uint8Array());
    return tensor;
  });
  return {
    model_name: body.model_name,
    model_version: body.model_version ?? '',
    id: body.id ?? '',
    parameters: wireParameters(body.parameters ?? {}),
    outputs,
    raw_output_contents: raw,
  };
}

function openTensor({ name, datatype, shape, parameters, contents }: WireTensor, raw: Uint8Array | undefined): object {
  const { binary_data_size: _, ...given } = plainParameters(parameters);
  const tensor = { name, datatype, shape: shape.map(Number) };
  const what = `input '${name.slice(0, 80)}'`;
  const filled = Object.entries(contents ?? {}).filter(([, values]) => values.length > 0);
  if (raw !== undefined) {
    if (filled.length === 0) return { ...tensor, parameters: { ...given, binary_data_size: raw.length } };
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${what}: it has typed contents, and the request raw_input_contents too`,
    );
  }
  const field = fields[datatype];
  if (datatype === 'FP16') {
    throw new MillraceError('INVALID_ARGUMENT', `${what}: FP16 has no typed contents; send raw_input_contents`);
  }
  const [other] = filled.find(([found]) => field !== undefined && found !== field) ?? [];
  if (other !== undefined) {
    throw new MillraceError('INVALID_ARGUMENT', `${what}: ${datatype} is in contents.${field}, got contents.${other}`);
  }
  return { ...tensor, parameters: given, data: valuesOf(name, datatype, contents ?? {}, field ?? '') };
}

function valuesOf(name: string, datatype: string, contents: WireContents, field: string): readonly unknown[] {
  const values = contents[field] ?? [];
  if (datatype === 'BYTES') return values.map((value, index) => textOfBytes(name, index, value as Uint8Array));
  return values.map((value) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value));
}

function contentsOf(datatype: string, data: readonly unknown[]): object {
  const field = fields[datatype];
  if (field === undefined) return {};
  if (datatype === 'BYTES') return { [field]: data.map((text) => Buffer.from(String(text), 'utf8')) };
  // What JSON has no number for is there as text.
  return { [field]: datatype.startsWith('FP') ? data.map(Number) : data };
}

function wantedOutput({ name, parameters }: WireInferRequest['outputs'][number]): object {
  const { binary_data: _, ...given } = plainParameters(parameters);
  return { name, parameters: given };
}

function plainParameters(parameters: WireParameters): Record<string, string | number | boolean> {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, plainParameter(value)]));
}

/** Only the one that is set is there. */
function plainParameter(value: WireParameter): string | number | boolean {
  return (
    value.string_param ?? value.bool_param ?? value.double_param ?? Number(value.int64_param ?? value.uint64_param ?? 0)
  );
}

function wireParameters(parameters: Readonly<Record<string, string | number | boolean>>): object {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, wireParameter(value)]));
}

function wireParameter(value: string | number | boolean): WireParameter {
  if (typeof value === 'string') return { string_param: value };
  if (typeof value === 'boolean') return { bool_param: value };
  return Number.isSafeInteger(value) ? { int64_param: value } : { double_param: value };
}
