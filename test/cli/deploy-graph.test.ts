/** Graphs whose code lies in files: deployed from YAML and from TypeScript by the CLI, asked over HTTP. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { compiledFile } from '../compiled.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
let directory: string;
let platform: Platform;
let client: Client;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-deploy-'));
  const configuration = resolveConfiguration({
    flags: { directory: join(directory, 'millrace'), 'http.port': '0' },
    environment: {},
  });
  platform = await startPlatform({
    configuration,
    only: ['deployments', 'registry', 'provenance', 'model-server', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url! });
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

const deploy = (file: string): Promise<unknown> => millrace('deploy', join(directory, file));

async function millrace(...words: readonly string[]): Promise<unknown> {
  const program = [compiledFile(new URL('../../cli/main.ts', import.meta.url)), ...words];
  const { stdout } = await run(process.execPath, [...program, '--url', platform.url!, '--json'], { cwd: root });
  return JSON.parse(stdout);
}

const answer = async (name: string) => {
  const x = { name: 'x', datatype: 'FP64', shape: [1, 2], data: [1, 2] };
  return (await client.predict(name, { inputs: [x] })).outputs;
};

it('deploys YAML whose code is a function of a file', async () => {
  await writeFile(
    join(directory, 'code.ts'),
    'export const double = ({ x }: { x: number[] }) => ({ y: x.map((v) => v * 2) });',
  );
  await writeFile(
    join(directory, 'doubling.yaml'),
    'name: doubling\nroutes: [{ name: main, graph: { nodes: [{ name: twice, kind: transformer, code: ./code.ts#double }] } }]',
  );
  expect(await deploy('doubling.yaml')).toEqual({ deployment: 'doubling', version: 1, ready: true });
  expect(await answer('doubling')).toMatchObject([{ name: 'y', data: [2, 4] }]);
}, 60_000);

it('deploys a TypeScript file with the code in it, pinned by the hash of its bundle', async () => {
  await writeFile(
    join(directory, 'tripling.ts'),
    `import { deployment, graph } from ${JSON.stringify(join(root, 'sdk/index.ts'))};
    const thrice = ({ x }: { x: number[] }) => ({ y: x.map((v) => v * 3) });
    export default deployment('tripling').route('main', graph().transformer('thrice', thrice));`,
  );
  expect(await deploy('tripling.ts')).toEqual({ deployment: 'tripling', version: 1, ready: true });
  expect(await answer('tripling')).toMatchObject([{ name: 'y', data: [3, 6] }]);
  const [route] = (await client.deployments.show('tripling')).document.routes;
  expect(route!.graph?.nodes[0]).toMatchObject({ code: { hash: expect.stringMatching(/^[0-9a-f]{64}$/) } });
}, 60_000);

it('says what cannot be bundled, and deploys nothing', async () => {
  await writeFile(
    join(directory, 'lost.yaml'),
    'name: lost\nroutes: [{ name: main, graph: { nodes: [{ name: t, kind: transformer, code: ./gone.ts#t }] } }]',
  );
  const failed = await deploy('lost.yaml').catch((error: unknown) => error as { stderr: string });
  expect((failed as { stderr: string }).stderr).toContain('there is no file');
  await expect(client.deployments.show('lost')).rejects.toMatchObject({ code: 'NOT_FOUND' });
}, 60_000);

it('says in the same breath when what it deployed cannot answer, and where more is said', async () => {
  await writeFile(
    join(directory, 'broken.ts'),
    "export const t = (row: object) => row; if (t.length === 1) throw new Error('no weights here');",
  );
  await writeFile(
    join(directory, 'broken.yaml'),
    'name: broken\nroutes: [{ name: main, graph: { nodes: [{ name: t, kind: transformer, code: ./broken.ts#t }] } }]',
  );
  const program = compiledFile(new URL('../../cli/main.ts', import.meta.url));
  const words = [program, 'deploy', join(directory, 'broken.yaml'), '--url', platform.url!];
  const { stdout, stderr } = await run(process.execPath, words, { cwd: root });
  expect(stdout).toMatch(/^deployment broken is at version 1, which is not ready: .*no weights here/);
  expect(stderr).toContain('millrace deployments status broken');
}, 60_000);

it('says all that is wrong with a TypeScript file, once, and nothing of the inside', async () => {
  const sdk = join(root, 'sdk', 'index.ts');
  await writeFile(
    join(directory, 'wrong.ts'),
    `import { deployment } from '${sdk}';
     export default deployment('wrong').route('main', 'models:/m/1').limits({ queue: 3, timeoutMs: -1 });`,
  );
  const { stderr } = await deploy('wrong.ts').then(
    () => ({ stderr: '' }),
    (error: unknown) => error as { stderr: string },
  );
  expect(stderr.trim().split('\n')).toEqual([
    "error INVALID_ARGUMENT: deployment 'wrong' is not valid:",
    expect.stringContaining('limits.timeoutMs'),
    '  limits.queue needs limits.concurrency: without it nothing waits for its turn',
  ]);
}, 60_000);

it('lists every version that was in force, and rolls back to an earlier one', async () => {
  const node = (factor: number) => `{ name: twice, kind: transformer, code: ./code.ts#by${factor} }`;
  await writeFile(
    join(directory, 'code.ts'),
    [2, 3].map((n) => `export const by${n} = ({ x }: { x: number[] }) => ({ y: x.map((v) => v * ${n}) });`).join('\n'),
  );
  for (const factor of [2, 3]) {
    await writeFile(
      join(directory, 'turned.yaml'),
      `name: turned\nroutes: [{ name: main, graph: { nodes: [${node(factor)}] } }]`,
    );
    await deploy('turned.yaml');
    if (factor === 2)
      await expect(client.deployments.rollback('turned')).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining("deployment 'turned' has no version before 1") as string,
      });
  }
  expect(await answer('turned')).toMatchObject([{ data: [3, 6] }]);
  expect(await millrace('deployments', 'rollback', 'turned')).toEqual({
    deployment: 'turned',
    version: 3,
    ready: true,
    restored: 1,
  });
  expect(await answer('turned')).toMatchObject([{ data: [2, 4] }]);
  const again = { idempotencyKey: 'back-once' };
  const first = await client.deployments.rollback('turned', 2, again);
  expect(first).toMatchObject({ version: 4, restored: 2 });
  expect(await client.deployments.rollback('turned', 2, again)).toEqual(first);
  const versions = await client.deployments.history('turned');
  expect(versions.map(({ version }) => version)).toEqual([4, 3, 2, 1]);
  expect(versions[1]!.document).toBe(versions[3]!.document);
  expect(versions[1]!.appliedAt).toBeLessThanOrEqual(versions[0]!.appliedAt);
  await expect(client.deployments.rollback('turned', 9)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: "deployment 'turned' has no version 9; it has 1 to 4",
  });
}, 60_000);
