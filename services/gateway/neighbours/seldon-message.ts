/** Messages of Seldon Core 1: the data of a request as a body of the Open Inference Protocol, and the answer in the form that was sent. */
import type { TensorDescription } from '../inference.ts';
import { frameBody, listInput, nested, type OpenBody, wrong } from './tabular.ts';

export interface SeldonData {
  readonly names?: readonly string[];
  readonly tensor?: { readonly shape: readonly number[]; readonly values: readonly unknown[] };
  readonly ndarray?: readonly unknown[];
}

export type DataForm = 'tensor' | 'ndarray';

/** What a message carries; INVALID_ARGUMENT unless it is `data` with `tensor` or `ndarray`. */
export function dataOf(message: unknown, where: string): SeldonData & { readonly form: DataForm } {
  const { data, ...others } = (message ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof data !== 'object' || data === null) {
    const got = ['strData', 'binData', 'jsonData', 'customData'].find((field) => others[field] !== undefined);
    throw wrong(`${where} must have data with tensor or ndarray, got ${got ?? 'none'}`);
  }
  const { names, tensor, ndarray, tftensor } = data as SeldonData & { readonly tftensor?: unknown };
  if (tftensor !== undefined || (tensor === undefined) === (ndarray === undefined)) {
    throw wrong(`${where}: data must have exactly one of tensor {shape, values} and ndarray (nested lists)`);
  }
  if (names !== undefined && (!Array.isArray(names) || names.some((name) => typeof name !== 'string'))) {
    throw wrong(`${where}: data.names must be a list of texts`);
  }
  if (tensor !== undefined && !(Array.isArray(tensor.shape) && Array.isArray(tensor.values))) {
    throw wrong(`${where}: data.tensor must have shape and values, both lists`);
  }
  if (ndarray !== undefined && !Array.isArray(ndarray)) throw wrong(`${where}: data.ndarray must be a list`);
  const form = tensor === undefined ? 'ndarray' : 'tensor';
  return { form, ...(names && { names }), ...(tensor && { tensor }), ...(ndarray && { ndarray }) };
}

/** Nested lists of either form. */
export function listsOf({ tensor, ndarray }: SeldonData): readonly unknown[] {
  if (tensor === undefined) return ndarray ?? [];
  const { shape, values } = tensor;
  const wanted = shape.reduce((product, size) => product * size, 1);
  if (wanted !== values.length)
    throw wrong(`data.tensor: shape [${shape.join(', ')}] needs ${wanted} values, got ${values.length}`);
  return nested(values, shape) as readonly unknown[];
}

/** To the only input as it is; with names, to the inputs of these names. */
export function seldonBody(data: SeldonData, inputs: readonly TensorDescription[]): OpenBody {
  const lists = listsOf(data);
  const { names } = data;
  const named =
    names !== undefined && names.length > 0 && names.every((name) => inputs.some((input) => input.name === name));
  if (named || (inputs.length > 1 && names !== undefined))
    return frameBody(names, lists as readonly (readonly unknown[])[]);
  return { inputs: [listInput(undefined, lists, inputs)] };
}

interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/** The output with one column per class if there is one, as Seldon's servers answer probabilities; else the first. */
export function seldonData(outputs: readonly Output[], form: DataForm): object {
  const output = outputs.find(({ shape }) => shape.length === 2 && (shape[1] ?? 0) > 1) ?? outputs[0];
  if (output === undefined) return { names: [], [form]: form === 'tensor' ? { shape: [0], values: [] } : [] };
  const { name, shape, data } = output;
  const names = shape.length === 2 ? Array.from({ length: shape[1] ?? 0 }, (_, at) => `t:${at}`) : [name];
  return { names, ...(form === 'tensor' ? { tensor: { shape, values: data } } : { ndarray: nested(data, shape) }) };
}

/** The truth of a feedback, one number or text per row, null where it is not known; of several rows a list. */
export function truthOf(message: unknown): { readonly truth?: unknown; readonly label?: unknown } {
  if (message === undefined || message === null) return {};
  const values = listsOf(dataOf(message, 'truth')).map(valueOf);
  const isLabel = values.some((value) => typeof value === 'string');
  const isOther = values.some((value) => value !== null && typeof value !== (isLabel ? 'string' : 'number'));
  if (values.length === 0 || isOther) throw wrong('truth must hold one number per row, or one text per row');
  return { [isLabel ? 'label' : 'truth']: values.length === 1 ? values[0] : values };
}

/** Of a row that is a list of one column. */
function valueOf(row: unknown, at: number): unknown {
  if (!Array.isArray(row)) return row;
  if (row.length !== 1) throw wrong(`truth must hold one value per row, row ${at} has ${row.length}`);
  return valueOf(row[0], at);
}
