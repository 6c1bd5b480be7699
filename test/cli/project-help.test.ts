/** MLproject folders on the command line: what they can run. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { millrace } from './cli-driver.ts';

const mlproject = `
name: demo
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.1}
      data: path
    command: "python train.py --alpha {alpha} {data}"
`;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-project-'));
  await writeFile(join(directory, 'MLproject'), mlproject);
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('a project on the command line', () => {
  it('tells its entry points, and runs nothing', async () => {
    const { code, out, err } = await millrace(['run', directory, '--help', '--url', 'http://127.0.0.1:9']);
    expect(code, err).toBe(0);
    const plain = out.replaceAll(/\u001b\[[0-9;]*m/g, '');
    expect(plain).toMatch(/-e main\n +python train\.py[^]*-P alpha=<float> +default 0\.1\n +-P data=<path> +required/);
  });

  it('is refused before it runs when a parameter cannot be of its type', async () => {
    const words = ['run', directory, '-P', 'alpha=much', '-P', 'data=x', '--url', 'http://127.0.0.1:9'];
    const { code, err } = await millrace(words);
    expect(code).toBe(2);
    expect(err).toContain("parameter 'alpha' of entry point 'main' is a float, got 'much'");
  });
});
