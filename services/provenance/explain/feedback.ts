/** Feedback and what it came to: by prediction, and by feedback; of many rows the first are read back, and how many more there are is said. */
import type { Walk } from './walk.ts';

const shownMax = 100;

/** Of a prediction: row by row, each feedback before what came of it. */
export async function addFeedbackOf(walk: Walk, predictionId: string): Promise<void> {
  const { reader, links } = walk;
  const { rows, more } = await feedbackRows(walk, 'prediction_id', predictionId);
  for (const row of rows) {
    const received = row.kind === 'received';
    const fact = await reader.fact(received ? 'predictions' : 'rewards', row);
    const said = { kind: received ? 'feedback' : 'reward', id: row.id, text: feedbackText(fact.event) };
    reader.add(links, fact, said, null);
  }
  if (more > 0) links.add({ kind: 'feedback', id: '…', text: `and ${more} more`, check: 'counted' }, null);
}

/** What came of a feedback, under it the feedback itself. Answers where its prediction hangs, and the id of that. */
export async function addFeedback(
  walk: Walk,
  feedbackId: string,
): Promise<{ readonly under: number | null; readonly predictionId: string }> {
  const { reader, links } = walk;
  const { rows, more } = await feedbackRows(walk, 'id', feedbackId);
  let under: number | null = null;
  for (const which of new Set(rows.map(({ row }) => row))) {
    let at: number | null = null;
    for (const row of rows.filter((one) => one.row === which).toReversed()) {
      const received = row.kind === 'received';
      const text = row.row < 0 ? row.kind : `row ${row.row}: ${row.kind}`;
      const said = { kind: received ? 'feedback' : 'reward', id: row.id, text };
      at = await reader.addFact(links, received ? 'predictions' : 'rewards', row, said, at);
    }
    under ??= at;
  }
  if (more > 0) links.add({ kind: 'feedback', id: '…', text: `and ${more} more`, check: 'counted' }, null);
  return { under, predictionId: rows[0]?.prediction_id ?? '' };
}

async function feedbackRows({ database }: Walk, column: 'id' | 'prediction_id', id: string) {
  const found = database.selectFrom('feedback').where(column, '=', id);
  const rows = await found.selectAll().orderBy('row').orderBy('offset').limit(shownMax).execute();
  const { count } = await found.select(database.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  const received = (kind: string): number => Number(kind === 'received');
  rows.sort((a, b) => a.row - b.row || received(b.kind) - received(a.kind));
  return { rows, more: Number(count) - rows.length };
}

function feedbackText({ type, data }: { readonly type: string; readonly data: object }): string {
  const facts = data as Readonly<Record<string, unknown>>;
  const row = typeof facts['row'] === 'number' ? `row ${facts['row']}: ` : '';
  if (type === 'feedback-received')
    return `${row}truth ${String(facts['truth'] ?? facts['label'] ?? '-')} by ${String(facts['actor'])}`;
  if (type === 'reward-recorded') return `${row}error ${String(facts['error'])}, reward ${String(facts['reward'])}`;
  return `${row}feedback ${String(facts['outcome'] ?? type)}`;
}
