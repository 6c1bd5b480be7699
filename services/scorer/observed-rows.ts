import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { Column, OffsetRange } from '../../schemas/events.ts';
import { feedbackColumns, feedbackRow } from '../../topologies/reward-sampling.ts';
import { rowPositions } from './row-positions.ts';
import { tableOf } from '../../topologies/tensor-table.ts';

/** Rows as a window holds them. */
export interface ObservedRows {
  readonly columns: readonly Column[];
  readonly outputs: readonly Column[];
  readonly predictionIds: readonly string[];
  /** Which row of its prediction each is. */
  readonly rowsOfPrediction: readonly number[];
}

interface Found {
  readonly names: readonly string[];
  readonly answerNames: readonly string[];
  readonly predictionId: string;
  cells(row: number): readonly number[];
  answers(row: number): readonly number[];
}

/** Reads the rows at these positions, in their order. NOT_FOUND when one is not on the log any more, or is no such row. */
export async function readRows(
  runtime: Runtime,
  stream: string,
  sources: readonly OffsetRange[],
): Promise<ObservedRows> {
  const topic = stream === 'feedback' ? 'rewards' : 'predictions';
  const wanted = rowPositions(sources);
  const byPartition = new Map<number, Set<number>>();
  for (const { partition, offset } of wanted) {
    const set = byPartition.get(partition) ?? new Set();
    byPartition.set(partition, set.add(offset));
  }
  const found = new Map<string, Found>();
  for (const [partition, offsets] of byPartition) {
    const list = [...offsets];
    const range = { from: list.reduce((a, b) => Math.min(a, b)), to: list.reduce((a, b) => Math.max(a, b)) + 1 };
    const at = { topic: runtime.topic(topic), partition };
    for await (const records of runtime.parts.log.read(at, range)) {
      for (const record of records) {
        if (!offsets.has(record.offset)) continue;
        const row = rowsIn(await runtime.decode(topic, record));
        if (row !== undefined) found.set(`${partition}@${record.offset}`, row);
      }
    }
  }
  const rows = wanted.map(({ partition, offset, row }) => {
    const record = found.get(`${partition}@${offset}`);
    if (record === undefined)
      throw new MillraceError('NOT_FOUND', `row ${topic}/${partition}@${offset} is not on the log any more`);
    return { record, row };
  });
  const first = rows[0]?.record;
  const column = (names: readonly string[], of: (row: (typeof rows)[number]) => readonly number[]): Column[] => {
    const cells = rows.map(of);
    return names.map((name, index) => ({ name, values: cells.map((values) => values[index] ?? Number.NaN) }));
  };
  return {
    columns: column(first?.names ?? [], ({ record, row }) => record.cells(row)),
    outputs: column(first?.answerNames ?? [], ({ record, row }) => record.answers(row)),
    predictionIds: rows.map(({ record }) => record.predictionId),
    rowsOfPrediction: rows.map(({ row }) => row),
  };
}

type Decoded = Awaited<ReturnType<Runtime['decode']>>;

function rowsIn(event: Decoded): Found | undefined {
  if (event.type === 'reward-recorded') {
    const cells = feedbackRow(event.data);
    const { predictionId } = event.data;
    return { names: feedbackColumns, answerNames: [], predictionId, cells: () => cells, answers: () => [] };
  }
  if (event.type !== 'prediction-completed') return undefined;
  const { inputs, outputs, rows, predictionId } = event.data;
  const features = tableOf(inputs, rows);
  const answers = tableOf(outputs, rows);
  if (features === undefined || answers === undefined) return undefined;
  return {
    names: features.names,
    answerNames: answers.names,
    predictionId,
    cells: (row) => features.cells(row),
    answers: (row) => answers.cells(row),
  };
}
