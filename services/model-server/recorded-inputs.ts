/** What of a request is recorded with its answer, as its deployment wants it. Whoever asked gets the answer to all of it. */
import type { PayloadSettings } from '../../schemas/serving-settings.ts';
import { isRecorded } from '../../schemas/serving-settings.ts';
import type { MonitoringTerms, PredictionCompleted, Tensor as EventTensor } from '../../schemas/events.ts';
import type { DeployedVersion } from './deployment-catalog.ts';
import { valuesOf } from './event-tensors.ts';

type Recorded = Pick<PredictionCompleted, 'inputs' | 'terms' | 'withheld'>;

export function recordedInputs(
  predictionId: string,
  inputs: readonly EventTensor[],
  { document: { payloads }, terms }: Pick<DeployedVersion, 'document' | 'terms'>,
): Recorded {
  if (payloads === undefined) return { inputs, terms, withheld: false };
  // Monitors and explainers have nothing to look at.
  if (!isRecorded(predictionId, payloads.share ?? 1)) return { inputs: [], terms: unwatched(terms), withheld: true };
  const kept = redacted(inputs, payloads);
  return { inputs: kept, terms, withheld: kept !== inputs };
}

function unwatched(terms: MonitoringTerms): MonitoringTerms {
  const windows = terms.windows.filter(({ stream }) => stream !== 'predictions');
  return { ...terms, windowRows: 0, windows, online: [], explainers: [] };
}

function redacted(inputs: readonly EventTensor[], { redact = [] }: PayloadSettings): readonly EventTensor[] {
  if (redact.length === 0) return inputs;
  return inputs.flatMap((tensor) => {
    if (redact.includes(tensor.name)) return [];
    const columns = redact.flatMap((name) => columnOf(name, tensor.name) ?? []);
    return [columns.length === 0 ? tensor : withoutColumns(tensor, columns)];
  });
}

function columnOf(redacted: string, tensor: string): number | undefined {
  if (!redacted.startsWith(`${tensor}[`)) return undefined;
  const column = /^\[(\d{1,9})\]$/.exec(redacted.slice(tensor.length))?.[1];
  return column === undefined ? undefined : Number(column);
}

/** Only floats can say that a value is missing; of other tensors nothing is recorded then. */
function withoutColumns(tensor: EventTensor, columns: readonly number[]): EventTensor {
  const rows = tensor.shape[0] ?? 1;
  const values = valuesOf(tensor);
  const width = values.length / rows;
  const kept = (values as readonly unknown[]).map((value, at) => (columns.includes(at % width) ? Number.NaN : value));
  if (tensor.datatype === 'FP64')
    return { ...tensor, data: { 'millrace.common.Doubles': { values: kept as number[] } } };
  if (tensor.datatype === 'FP32' || tensor.datatype === 'FP16')
    return { ...tensor, data: { 'millrace.common.Floats': { values: kept as number[] } } };
  const missing = new Array<number>(values.length).fill(Number.NaN);
  return { ...tensor, datatype: 'FP64', data: { 'millrace.common.Doubles': { values: missing } } };
}
