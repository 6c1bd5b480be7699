import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { startPlatform } from '../../../services/all-in-one/platform.ts';
import { compiledFile } from '../../compiled.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-unready-'));
const program = compiledFile(new URL('../../../cli/main.ts', import.meta.url));
const env = { ...process.env, NO_COLOR: '1' };
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Somebody removes records by hand that a topology has not folded yet. */
async function loseRecords(): Promise<void> {
  const configuration = resolveConfiguration({ flags: { directory, 'http.port': '0', 'log.level': 'silent' } });
  const platform = await startPlatform({ configuration, only: ['registry'] });
  try {
    await platform.ready();
    const { log } = platform.runtime.parts;
    const place = { topic: platform.runtime.topic('registry'), partition: 1 };
    const record = { ...place, key: null, value: Buffer.from('unreadable'), headers: {} };
    await log.append([record]);
    const position = (): number | undefined =>
      platform.runtime.stats().find(({ task }) => task === 'registry/registry/1')?.position;
    await eventually('the first record is folded', () => position() === 1);
    await platform.runtime.close();
    await log.append([record, record]);
    await log.truncateBefore(place, 3);
  } finally {
    await platform.close();
  }
}

describe('a process of two topologies, of which one partition cannot be opened', () => {
  let child: ChildProcess;
  let said = '';
  const url = (): string => /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0] ?? '';

  beforeAll(async () => {
    await loseRecords();
    const typed = ['serve', 'registry', 'run-progress', '--set', 'http.port=0', '--directory', directory];
    child = spawn(process.execPath, [program, ...typed], { env, stdio: ['ignore', 'inherit', 'pipe'] });
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('it says how it is', () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
      if (said.includes('serving')) throw new Error(`it is ready: ${said}`);
      return said.includes('not ready at');
    });
  });
  afterAll(() => child.kill('SIGKILL'));

  it('says why, and where one can ask', () => {
    expect(said).toMatch(
      /not ready at http:\/\/127\.0\.0\.1:\d+: registry\/registry\/1 must be rebuilt, but registry\/1 holds offsets 3 to 3/,
    );
    expect(said).toContain('What can work does; /readyz says what has stopped');
  });

  it('stays up, and is unready by the name of what has stopped', async () => {
    expect((await fetch(`${url()}/livez`)).status).toBe(200);
    const ready = await fetch(`${url()}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, reason: 'stopped: registry/registry/1' }]);
  });

  it('does what it can, and shows a scraper what it cannot', async () => {
    const metrics = await (await fetch(`${url()}/metrics`)).text();
    const up = (task: string): unknown =>
      new RegExp(`^millrace_task_up\\{task="${task}"\\} (\\d)`, 'm').exec(metrics)?.[1];
    expect(['registry/registry/0', 'registry/registry/2', 'run-progress/runs/0'].map(up)).toEqual(['1', '1', '1']);
    expect(up('registry/registry/1')).toBe('0');
    expect(metrics).toMatch(/^millrace_ready 0$/m);
  });

  it('ends in order when it is asked to', async () => {
    const ended = new Promise<unknown>((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    child.kill('SIGTERM');
    expect(await ended, said).toBe(0);
  });
});

describe('`millrace serve --list`', () => {
  it('lists services and topologies, also as JSON', () => {
    const { stdout } = spawnSync(process.execPath, [program, 'serve', '--list', '--json'], { encoding: 'utf8', env });
    expect(JSON.parse(stdout)).toContainEqual(expect.objectContaining({ name: 'gateway', kind: 'service' }));
  });
});
