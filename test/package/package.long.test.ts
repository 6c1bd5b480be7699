import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const millrace = (...args: string[]) =>
    spawnSync(process.execPath, [join(folder, 'node_modules/millrace/dist/cli/main.js'), ...args], {
      cwd: folder,
      encoding: 'utf8',
    });

  it("runs a user's own flow that imports millrace", () => {
    const { status, stdout, stderr } = millrace('--json', 'run', 'flow.ts', '-P', 'name=there');
    expect(status, stderr).toBe(0);
    const told = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as object;
    expect(told).toMatchObject({ type: 'run', run: { flow: 'packed', status: 'completed' } });
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
