/** The tables that the gateway shows, and waiting until a row that was decided is on them. */
import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import { type Clock, MillraceError } from '../../runtime/ports/index.ts';

export interface GatewayTables {
  readonly models: Table<'models'>;
  readonly deployments: Table<'deployments'>;
  readonly routers: Table<'routers'>;
  readonly flows: Table<'flows'>;
  close(): Promise<void>;
}

export async function openTables(runtime: Runtime): Promise<GatewayTables> {
  const [models, deployments, routers, flows] = await Promise.all([
    runtime.openTable('models'),
    runtime.openTable('deployments'),
    runtime.openTable('routers'),
    runtime.openTable('flows'),
  ]);
  const tables = [models, deployments, routers, flows];
  return {
    models,
    deployments,
    routers,
    flows,
    close: async () => void (await Promise.all(tables.map((table) => table.close()))),
  };
}

/** A fact and its row lie on different topics: this waits for the second, so that what was answered is there for the next reader. */
export async function waitForRow(
  table: { refresh(): Promise<void> },
  there: () => boolean,
  what: string,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<void> {
  const deadline = clock.now() + timeoutMs;
  for (let waitMs = 1; !there(); waitMs = Math.min(2 * waitMs, 100)) {
    await table.refresh();
    if (there()) return;
    if (clock.now() > deadline) throw new MillraceError('TIMEOUT', `${what} was decided, but is not on its table yet`);
    await new Promise<void>((resolve) => clock.after(waitMs, resolve));
  }
}
