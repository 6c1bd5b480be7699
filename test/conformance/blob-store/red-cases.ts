import { createDirectoryHarness } from './directory-harness.ts';
import { blobStoreCases } from './index.ts';
import { type blobStoreMutants } from './mutants.ts';

/** Names of the cases that a directory store fails when it is broken so. */
export async function redCases(
  breakStore: (typeof blobStoreMutants)[string] | undefined,
  cases: typeof blobStoreCases = blobStoreCases,
): Promise<readonly string[]> {
  if (breakStore === undefined) throw new Error('There is no such mutant.');
  const red: string[] = [];
  for (const { name, run } of cases) {
    const harness = await createDirectoryHarness('process', breakStore);
    await run(harness).catch(() => red.push(name));
    await harness.close();
  }
  return red;
}
