import type { Running } from '../../runtime/engine/runtime.ts';
import { createRetention, type RetentionOptions } from './retention.ts';
import { createTableRows } from './table-rows.ts';

export interface LogKeeperOptions extends RetentionOptions {
  /** False: nothing is deleted; tables are kept all the same. */
  readonly deletes: boolean;
}

/** Both services read topics of one partition, so one process at a time does the work. */
export async function startLogKeeper({ deletes, ...options }: LogKeeperOptions): Promise<Running> {
  const { runtime } = options;
  const running = [await runtime.runService(createTableRows(runtime))];
  if (deletes) running.push(await runtime.runService(createRetention(options)));
  return {
    ready: async () => void (await Promise.all(running.map((part) => part.ready()))),
    close: async () => void (await Promise.all(running.map((part) => part.close()))),
  };
}
