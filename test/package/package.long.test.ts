import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The tarball unpacked in an empty folder, beside the packages that it depends on (linked, so that no network is needed). */
describe('the packed package', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-package-'));
    execFileSync('npm', ['run', 'build'], { cwd: root, stdio: 'ignore' });
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
        cwd: root,
        encoding: 'utf8',
      }),
    ) as [{ filename: string }];
    const modules = join(folder, 'node_modules');
    mkdirSync(join(modules, 'millrace'), { recursive: true });
    execFileSync('tar', [
      '-xzf',
      join(folder, packed.filename),
      '--strip-components=1',
      '-C',
      join(modules, 'millrace'),
    ]);
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.') && name !== 'millrace')
        symlinkSync(join(root, 'node_modules', name), join(modules, name));
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(folder, 'flow.ts'),
      `import { flow } from 'millrace';
export default flow('packed')
  .parameter('name', { type: 'string', default: 'world' })
  .step('greet', (_, { parameters }) => ({ greeting: \`hello \${parameters.name}\` }))
  .step('shout', ({ greeting }) => ({ loud: greeting.toUpperCase() }));
`,
    );
  }, 900_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const program = (): string => join(folder, 'node_modules/millrace/dist/cli/main.js');
  const millrace = (...args: string[]) =>
    spawnSync(process.execPath, [program(), ...args], { cwd: folder, encoding: 'utf8', timeout: 240_000 });
  function done(...args: string[]): string {
    const { status, stdout, stderr } = millrace(...args);
    expect(status, stderr).toBe(0);
    return stdout;
  }
  const json = <T>(...args: string[]): T => JSON.parse(done('--json', ...args)) as T;

  it("runs a user's own flow that imports millrace", () => {
    const { status, stdout, stderr } = millrace('--json', 'run', 'flow.ts', '-P', 'name=there');
    expect(status, stderr).toBe(0);
    const told = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as object;
    expect(told).toMatchObject({ type: 'run', run: { flow: 'packed', status: 'completed' } });
  });

  it('has every module that it starts by its path: of reward functions, explanations, detectors and batches', async () => {
    writeFileSync(
      join(folder, 'line.ts'),
      `import { encodeLinearRegression, fitOutlierDetector, flow, startRun } from 'millrace';
export default flow('line').step('train', async (_, { models }) => {
  const values = Array.from({ length: 50 }, (__, row) => row / 10);
  models.register('line', { onnx: encodeLinearRegression({ coefficients: [2], intercept: 1, outputName: 'y' }), alias: 'champion' });
  return { reference: { columns: [{ name: 'x', values }] }, imported: [typeof fitOutlierDetector, typeof startRun] };
});
`,
    );
    writeFileSync(
      join(folder, 'deployment.ts'),
      `import { deployment } from 'millrace';
export default deployment('line')
  .route('only', 'models:/line@champion', { weight: 100 })
  .features([{ name: 'x', kind: 'numeric' }])
  .feedback({ windowMs: 60_000, rewardFunction: ({ prediction, truth }) => prediction * 100 + truth, rewardTimeoutMs: 10_000 })
  .monitors({ referenceHash: process.env.REFERENCE });
`,
    );
    writeFileSync(join(folder, 'rows.csv'), 'x\n1\n2\n');
    const platform = spawn(process.execPath, [program(), 'dev', '--port', '0'], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    try {
      await upAfter(platform);
      done('run', 'line.ts');
      const [reference] = json<[{ hash: string }]>('artifacts', 'list', '--name', 'reference');
      process.env['REFERENCE'] = reference.hash;
      done('deploy', 'deployment.ts');

      const { predictionId, outputs } = json<{ predictionId: string; outputs: unknown }>('predict', 'line', '[3]');
      expect(outputs).toMatchObject([{ data: [7] }]);
      done('feedback', predictionId, '--truth', '5');
      const rewards = done('--json', 'tail', 'rewards', '--from-beginning', '--limit', '2').trim().split('\n');
      expect(JSON.parse(rewards[1]!)).toMatchObject({ type: 'reward-recorded', data: { reward: 705 } });
      done('predictions', 'attribute', predictionId);
      done('predictions', 'batch', 'line', 'rows.csv', '--out', 'answers.csv');
      expect(readFileSync(join(folder, 'answers.csv'), 'utf8')).toContain('5');
    } finally {
      platform.kill();
      await once(platform, 'exit');
    }
  });

  it('describes itself and says what is wrong with this machine', () => {
    expect(millrace('describe').status).toBe(0);
    const { status, stdout } = millrace('--json', 'doctor');
    expect(JSON.parse(stdout)).toContainEqual(expect.objectContaining({ check: 'node', status: 'ok' }));
    expect(status).toBe(0);
  });

  it('is what runs from the sources of a clone, compiled once', () => {
    const run = () =>
      spawnSync(process.execPath, ['deploy/package/from-sources.mjs', 'cli/main', '--version'], {
        cwd: root,
        encoding: 'utf8',
      });
    const first = run();
    expect(first.stdout, first.stderr).toBe(`${millrace('--version').stdout}`);
    const compiled = () => readdirSync(join(root, 'node_modules/.cache/millrace-sources')).sort();
    const before = compiled();
    expect(run().stdout).toBe(first.stdout);
    expect(compiled()).toEqual(before);
  });

  it('suggests what was meant, and exits with the code for usage', () => {
    const { status, stderr } = millrace('deploymnts');
    expect(status).toBe(2);
    expect(stderr).toContain("Did you mean 'deployments'?");
  });
});

/** Resolves at the first line of `millrace dev`; rejects when it ends before. */
async function upAfter(platform: ChildProcess): Promise<void> {
  const ended = once(platform, 'exit').then(([code]) =>
    Promise.reject(new Error(`dev ended with ${code} before it was up`)),
  );
  const lines = createInterface({ input: platform.stderr! });
  await Promise.race([once(lines, 'line'), ended]);
  ended.catch(() => undefined); // it ends later, as it should
}
