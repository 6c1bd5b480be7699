import { messageOf } from '../../../runtime/ports/errors.ts';
import type { DriftAssessed } from '../../../schemas/events.ts';
import { placeText } from './link.ts';
import type { Walk } from './walk.ts';

type Window = Pick<DriftAssessed, 'sources' | 'rows' | 'windowId' | 'stream'>;

/** Where the rows lie on which the verdict rests; both ends of each range must still be there. */
export async function addWindow(
  { reader, links }: Walk,
  { sources, rows, windowId, stream }: Window,
  under: number,
): Promise<void> {
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
}
