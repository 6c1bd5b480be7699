import { eventually } from '../../runtime/testing/index.ts';
import type { Client, ShownRun } from '../../sdk/client/index.ts';

/** A run once it is over, with all its tasks. */
export async function endOf(client: Client, runId: string): Promise<ShownRun> {
  const ended = async (): Promise<boolean> => {
    const run = await client.runs.show(runId, { limit: 0 }).catch(() => undefined);
    return typeof run?.endedAt === 'number';
  };
  await eventually(`run ${runId} has ended`, ended, 50_000);
  return await client.runs.show(runId);
}
