import { systemFiles } from '../../../runtime/adapters/embedded-log/log-files.ts';
import { createEmbeddedHarness } from './embedded-harness.ts';
import { type logCases } from './index.ts';

/** Nothing here loses power, and syncs would take most of the time. */
const unsynced = { ...systemFiles, syncNow: () => undefined, syncDirectory: () => undefined };

/** Whether an embedded log that is broken so still passes the case. */
export async function isGreen(
  { run }: (typeof logCases)[number],
  mutant: string,
  deadlineMs: number,
): Promise<boolean> {
  const harness = await createEmbeddedHarness({ mutant, deadlineMs, files: unsynced });
  try {
    await run(harness);
    return true;
  } catch {
    return false;
  } finally {
    await harness.close();
  }
}
