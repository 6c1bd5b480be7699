/** Run by `kill-child.ts`: opens the store that the arguments name, and writes until it is killed. */
import type { QueryStore } from '../../../runtime/ports/query-store.ts';
import { type SuiteTables, suiteSchema } from './query-store-builders.ts';
import { writeForever } from './write-forever.ts';

const [module = '', name = '', options = '{}'] = process.argv.slice(2);
const opened = ((await import(module)) as Record<string, (options: object) => Promise<QueryStore<SuiteTables>>>)[name];
if (opened === undefined) throw new Error(`${module} has no ${name}`);
const store = await opened({ ...(JSON.parse(options) as object), schema: suiteSchema });
await writeForever(store, (position) => process.stdout.write(`${position}\n`));
