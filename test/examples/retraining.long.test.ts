import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { compiledFile } from '../compiled.ts';

const program = compiledFile(new URL('../../examples/retraining/retraining.ts', import.meta.url));

async function runExample(...args: string[]): Promise<{ code: number | null; told: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, told: (await said).join('') };
}

describe('the loop from drift back to training', () => {
  it('trains because of an alert, tries in the shadow and with a share, serves what is approved, takes a worse model back', async () => {
    const { code, told } = await runExample();
    expect(code, told).toBe(0);
    const [, run = ''] = /run (\w+) of flow delivery-time because of alert/.exec(told) ?? [];
    const places = [
      'alert ',
      `run ${run} is done`,
      'version delivery-time/2',
      '100 % in the shadow',
      'rollout: running, 30 %',
      'rollout: promoting',
      'alias champion → delivery-time/2 is proposed by rollout of delivery-time',
      'millrace models approve delivery-time champion 2',
      'alias champion → delivery-time/2 by grace',
      'both routes serve delivery-time v2',
      'is over',
      'version delivery-time/3',
      'rollout: rolled-back',
    ].map((part) => told.indexOf(part));
    expect(places, told).toEqual([...places].sort((a, b) => a - b));
    expect(Math.min(...places), told).toBeGreaterThan(-1);
  }, 400_000);

  it('notices when the promise is broken that a worse model is taken back', async () => {
    const { code, told } = await runExample('--break', 'worse-model');
    expect(code, told).toBe(1);
    expect(told.split('\n').filter((line) => line.includes('✘'))).toEqual([
      expect.stringContaining('the worse model was taken back'),
    ]);
  }, 400_000);
});
