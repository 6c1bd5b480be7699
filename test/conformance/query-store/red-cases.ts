import { queryStoreCases } from './index.ts';
import { mutants } from './mutants.ts';
import { createSqliteHarness } from './sqlite-harness.ts';

/** Names of the cases that SQLite as a query store fails when it is broken so. */
export async function redCases(
  mutant: string,
  cases: typeof queryStoreCases = queryStoreCases,
): Promise<readonly string[]> {
  const red: string[] = [];
  for (const { name, run } of cases) {
    const harness = await createSqliteHarness(mutants[mutant]);
    await run(harness).catch(() => red.push(name));
    await harness.close();
  }
  return red;
}
