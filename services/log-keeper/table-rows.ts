/**
 * Keeps the last record of each key of a compacted topic its newest. A zombie may append an old row behind a newer one, and compaction
 * would keep the old: whoever owns the topic's one partition holds the newest row of each key in its state, and appends it again.
 */
import type { Runtime, TableTopic } from '../../runtime/engine/runtime.ts';
import type { Service, ServiceRecord } from '../../runtime/engine/service.ts';
import { compareStamps, parseStamp } from '../../runtime/engine/stamp.ts';
import type { OutgoingRecord } from '../../runtime/ports/log.ts';
import { topicNames, topics } from '../../schemas/topics.ts';

/** Topics of rows that folds derive: every compacted one, but for the list of snapshots, whose keys are said once. */
const keptTables = topicNames.filter(
  (name): name is TableTopic => topics[name].cleanup === 'compact' && name !== 'snapshots',
);

/** The newest row of a key, as it lies on the log. */
interface Row {
  readonly id: string;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array>>;
}

export function createTableRows(runtime: Runtime): Service<TableTopic> {
  return {
    name: 'table-rows',
    inputs: keptTables,
    outputs: keptTables,
    summary: 'appends a row again when an older one was written behind it',
    async handle(batch, task) {
      const newest = new Map<string, Row>();
      const overtaken = new Set<string>();
      for (const { raw, meta } of batch) {
        const row = newest.get(meta.key) ?? (await task.get<Row>(meta.key));
        if (row !== undefined && isOlder(meta.id, row.id)) overtaken.add(meta.key);
        else {
          newest.set(meta.key, rowOf(raw, meta.id));
          overtaken.delete(meta.key);
        }
      }
      const again: OutgoingRecord[] = [];
      for (const key of overtaken) {
        const row = newest.get(key) ?? (await task.get<Row>(key));
        if (row !== undefined) again.push({ ...task.partition, key, value: row.value, headers: row.headers });
      }
      if (again.length > 0) {
        await runtime.parts.log.append(again);
        runtime.parts.logger.warn(
          { ...task.partition, keys: [...overtaken] },
          'older rows were written behind newer ones',
        );
      }
      return { outputs: [], put: [...newest], count: { rowsAppendedAgain: again.length } };
    },
  };
}

function rowOf({ value, headers }: ServiceRecord['raw'], id: string): Row {
  const bytes = (buffer: Buffer): Uint8Array => Uint8Array.from(buffer);
  return {
    id,
    value: value === null ? null : bytes(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, bytes(header)])),
  };
}

/** Said by the same origin before it said the other. */
function isOlder(id: string, than: string): boolean {
  const [stamp, newest] = [parseStamp(id), parseStamp(than)];
  if (stamp === undefined || newest === undefined || stamp.origin !== newest.origin) return false;
  return compareStamps(stamp, newest) < 0;
}
