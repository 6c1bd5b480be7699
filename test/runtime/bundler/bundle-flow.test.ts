import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { packageEntries } from '../../../deploy/package/bundle.ts';
import { sdkRooms } from '../../../runtime/adapters/bundler/build-module.ts';

const hello = join(import.meta.dirname, '../../../examples/hello/flow.ts');
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function file(text: string): Promise<string> {
  const path = join(directory, 'flow.ts');
  await writeFile(path, text);
  return path;
}

describe('bundling a flow', () => {
  it('gives one module with the graph and triggers, the same bytes each time, without the SDK in it', async () => {
    const first = await bundleFlow(hello);
    expect(first.name).toBe('hello');
    expect(first.graph).toMatchObject({ format: 1, name: 'hello' });
    expect(first.triggers).toEqual([{ event: 'hello-wanted', parameters: { name: 'person' } }]);
    const text = Buffer.from(first.code).toString('utf8');
    expect(text).toMatch(/import \{ flow\b.* \} from "millrace\/flow"/);
    expect(text.match(/from "millrace/g)).toHaveLength(1);
    expect(text.length).toBeLessThan(5_000);
    expect(Buffer.from((await bundleFlow(hello)).code).equals(first.code)).toBe(true);
  });

  it('knows every name that the SDK exports', async () => {
    expect(Object.values(sdkRooms).flat().sort()).toEqual(Object.keys(await import('../../../sdk/index.ts')).sort());
  });

  it('finds each room of the SDK at its path in the package', () => {
    const paths = Object.keys(sdkRooms).map((room) => `${room.replace('millrace/', 'sdk/')}/index`);
    expect(packageEntries).toEqual(expect.arrayContaining(paths));
  });

  it('leaves packages with native code outside and names them', async () => {
    const path = await file(
      `import { flow } from 'millrace';\nimport * as ort from 'onnxruntime-node';\nexport default flow('native').step('one', () => ({ has: typeof ort.InferenceSession }));\n`,
    );
    const { code, name } = await bundleFlow(path);
    expect(name).toBe('native');
    expect(Buffer.from(code).toString('utf8')).toMatch(/^\/\/ millrace externals: onnxruntime-node\n/);
  });

  it.each([
    ['a file that is not there', undefined, /there is no file/],
    ['a syntax error, with its line', 'export default flow(;', /flow\.ts:1: Unexpected ";"/],
    ['an import that does not exist', "import './nowhere.ts';", /Could not resolve "\.\/nowhere\.ts"/],
    ['no default export', 'export const a = 1;', /default export is no flow/],
    [
      'a graph that is wrong',
      "import { flow } from 'millrace';\nexport default flow('f').branch('b', { x: () => ({}) });",
      /branch 'b' is not joined/,
    ],
    ['code that ends its process', 'process.exit(4);', /ended its process while it was loaded \(exit code 4\)/],
  ])('refuses %s', async (_, text, message) => {
    const path = text === undefined ? join(directory, 'none.ts') : await file(text);
    await expect(bundleFlow(path)).rejects.toThrow(message);
  });
});
