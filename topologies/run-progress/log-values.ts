/** What the manifest of a program says of its run, logged when the attempt is accepted. */
import { experimentOfFlow } from '../../schemas/flow-experiment.ts';
import type { Work } from './work.ts';

interface Values {
  readonly timestamp: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** MLflow's names of metrics, parameters and tags. */
const nameForm = /^[\p{L}\p{N}_./: -]{1,250}$/u;
const lengths = { param: 6_000, tag: 8_000 };

/** False: the body is no such request. */
export function logValues(work: Work, flow: string, body: string): boolean {
  const values = valuesOf(body);
  if (values === undefined) return false;
  const { timestamp, metrics, params, tags } = values;
  const { runId } = work;
  const data = {
    runId,
    experimentId: experimentOfFlow(flow).id,
    metrics: named(metrics).map(([key, value]) => ({ key, value: Number(value), timestamp, step: 0, ...noModel })),
    params: texts(params, lengths.param),
    tags: texts(tags, lengths.tag),
    removedTags: [],
    actor: `run:${runId}`,
  };
  work.emit({ topic: 'tracking', type: 'values-logged', key: runId, data });
  return true;
}

const noModel = { modelId: null, datasetName: null, datasetDigest: null };

/** What MLflow could not name stays an artifact of the task. */
function named<T>(values: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(values).filter(([key]) => nameForm.test(key));
}

function texts(values: Readonly<Record<string, string>>, length: number): Readonly<Record<string, string>> {
  return Object.fromEntries(named(values).map(([key, value]) => [key, value.slice(0, length)]));
}

function valuesOf(body: string): Values | undefined {
  try {
    const { timestamp, metrics = {}, params = {}, tags = {} } = JSON.parse(body) as Partial<Values>;
    const isText = (value: unknown): boolean => typeof value === 'string';
    if (typeof timestamp !== 'number' || ![...Object.values(params), ...Object.values(tags)].every(isText))
      return undefined;
    return { timestamp, metrics, params, tags };
  } catch {
    return undefined;
  }
}
