import type { StateStore } from '../../../runtime/ports/state-store.ts';
import { commitForever } from './commit-forever.ts';

/** Run as `node --import tsx commit-child.ts <adapter module> <its open function> <options in JSON>`, and killed. */
const [, , module = '', name = '', options = ''] = process.argv;
const adapter: unknown = await import(module);
const open = (adapter as Record<string, (options: unknown) => Promise<StateStore>>)[name]!;
await commitForever(await open(JSON.parse(options)), (position) => process.stdout.write(`${position}\n`));
