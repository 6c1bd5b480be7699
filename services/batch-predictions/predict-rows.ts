/** Rows through a deployment, each answered or said to be wrong. */
import type { Client, ClientTensor, Prediction } from '../../sdk/client/index.ts';
import type { Cell } from './read-table.ts';

/** One line of the results. */
export interface RowResult {
  /** In the file, from 0. */
  readonly row: number;
  readonly predictionId?: string;
  readonly route?: string;
  /** By tensor: a value, or a list of them. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Datatypes of outputs by name. */
export type DatatypesOf = Readonly<Record<string, string>>;

export interface PredictedRows {
  readonly results: readonly RowResult[];
  /** Of the outputs that came. */
  readonly datatypes: DatatypesOf;
}

export interface Rows {
  /** In the file, of the first of these. */
  readonly first: number;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** What the caller cannot mend by other rows: the step is tried again. */
const transient = new Set(['UNAVAILABLE', 'OVERLOADED', 'RATE_LIMITED', 'TIMEOUT', 'CLOSED', 'NOT_LEADER']);
/** What has nothing to do with the rows: the run fails at once. */
const hopeless = new Set(['NOT_FOUND', 'FORBIDDEN']);

/**
 * One request for all rows; when it is refused, two for their halves, down to the row that is at fault. `id` makes a repeat of the same
 * rows get the stored answer, so that a chunk that is predicted twice has one outcome.
 */
export async function predictRows(client: Client, deployment: string, rows: Rows, id: string): Promise<PredictedRows> {
  try {
    const options = { id, entity: id, parameters: { content_type: 'pd' } };
    const prediction = await client.predict(deployment, { inputs: tensorsOf(rows) }, options);
    const datatypes = Object.fromEntries(prediction.outputs.map(({ name, datatype }) => [name, datatype]));
    return { results: resultsOf(prediction, rows), datatypes };
  } catch (error) {
    const { code = 'INTERNAL', message } = error as { readonly code?: string; readonly message: string };
    if (transient.has(code)) throw error;
    // Trying again would change nothing.
    if (hopeless.has(code)) throw Object.assign(new Error(message, { cause: error }), { retry: false });
    if (rows.rows.length === 1) return { results: [{ row: rows.first, error: { code, message } }], datatypes: {} };
    const half = Math.ceil(rows.rows.length / 2);
    const early = { ...rows, rows: rows.rows.slice(0, half) };
    const late = { ...rows, first: rows.first + half, rows: rows.rows.slice(half) };
    const halves = [
      await predictRows(client, deployment, early, `${id}.0`),
      await predictRows(client, deployment, late, `${id}.1`),
    ];
    return { results: halves.flatMap(({ results }) => results), datatypes: commonDatatypes(halves) };
  }
}

/** Of outputs that have the same wherever they came; the values of others decide by themselves. */
export function commonDatatypes(parts: readonly Pick<PredictedRows, 'datatypes'>[]): DatatypesOf {
  const common = new Map<string, string>();
  for (const { datatypes } of parts)
    for (const [name, datatype] of Object.entries(datatypes))
      common.set(name, (common.get(name) ?? datatype) === datatype ? datatype : '');
  return Object.fromEntries(common);
}

function tensorsOf({ columns, rows }: Rows): ClientTensor[] {
  return columns.map((name, at) => {
    const data = rows.map((row) => row[at] ?? '');
    const texts = data.some((cell) => typeof cell === 'string');
    const datatype = texts ? 'BYTES' : data.every((cell) => typeof cell === 'boolean') ? 'BOOL' : 'FP64';
    return { name, datatype, shape: [rows.length, 1], data: texts ? data.map(String) : data };
  });
}

function resultsOf({ predictionId, route, outputs }: Prediction, { first, rows }: Rows): RowResult[] {
  return rows.map((_, at) => ({
    row: first + at,
    predictionId,
    route,
    outputs: Object.fromEntries(
      outputs.map(({ name, data }) => {
        const values = data.flat();
        const width = values.length / rows.length;
        return [name, width === 1 ? values[at] : values.slice(at * width, (at + 1) * width)];
      }),
    ),
  }));
}
