/** The rows that were found, farthest out first, each with its prediction. */
import { messageOf } from '../../../runtime/ports/errors.ts';
import type { OutliersAssessed, RowScore } from '../../../schemas/events.ts';
import { predictionLink } from './prediction-link.ts';
import type { Walk } from './walk.ts';

const shownMax = 10;

export async function addOutlierRows(walk: Walk, { outliers }: OutliersAssessed, under: number): Promise<void> {
  const { reader, database, links } = walk;
  const farthest = [...outliers].sort((a, b) => b.score - a.score);
  for (const outlier of farthest.slice(0, shownMax)) {
    const { predictionId: id } = outlier;
    const said = { kind: 'row', id, text: rowText(outlier) };
    const row = await database.selectFrom('predictions').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) {
      const problem = `prediction ${id} is not known`;
      links.add({ ...said, check: 'looked up', problem }, under);
      continue;
    }
    try {
      const fact = await reader.fact('predictions', row);
      reader.add(links, fact, { ...said, ...predictionLink(fact.event) }, under);
    } catch (error) {
      links.add({ ...said, check: 'record read back', problem: messageOf(error) }, under);
    }
  }
  const more = farthest.length - shownMax;
  if (more > 0) links.add({ kind: 'row', id: '…', text: `and ${more} more`, check: 'counted' }, under);
}

function rowText({ row, score, features, shares }: RowScore): string {
  const by = features.map((name, index) => `${name} ${Math.round((shares[index] ?? 0) * 100)} %`);
  return `row ${row} of this prediction scores ${score.toPrecision(4)}${by.length === 0 ? '' : `: ${by.join(', ')}`}`;
}
