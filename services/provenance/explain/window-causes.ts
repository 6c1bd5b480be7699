import { messageOf } from '../../../runtime/ports/errors.ts';
import { placeText } from './link.ts';
import type { Walk } from './walk.ts';

/** Where the rows lie on which the verdict rests; both ends of each range must still be there. */
export async function addWindow(
  { reader, links }: Walk,
  row: { partition: number; offset: number },
  under: number,
): Promise<void> {
  const { event } = await reader.fact('drift', row);
  if (event.type !== 'drift-assessed') return;
  const { sources, rows, windowId, referenceHash, stream } = event.data;
  const topic = stream === 'feedback' ? 'rewards' : 'predictions';
  for (const { partition, firstOffset, lastOffset } of sources) {
    const problems: string[] = [];
    for (const offset of new Set([firstOffset, lastOffset])) {
      await reader.fact(topic, { partition, offset }).catch((error: unknown) => problems.push(messageOf(error)));
    }
    const id = `${placeText({ topic, partition, offset: firstOffset })}–${lastOffset}`;
    const text = `rows of window ${windowId} (${rows} in all)`;
    const problem = problems.length === 0 ? {} : { problem: problems.join('; ') };
    links.add({ kind: 'window', id, text, check: 'both ends read back', ...problem }, under);
  }
  if (referenceHash !== '')
    await reader.addBlob(links, 'reference', referenceHash, 'what the window was compared with', under);
}
