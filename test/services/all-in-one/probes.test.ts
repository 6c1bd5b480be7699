import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';
import { Health } from '../../../services/all-in-one/health.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';

const folders: string[] = [];
const platforms: Platform[] = [];
afterEach(async () => {
  for (const platform of platforms.splice(0)) await platform.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function start(only: readonly string[], flags: Readonly<Record<string, string>> = {}): Promise<Platform> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-probes-'));
  folders.push(directory);
  const all = { directory, 'http.port': '0', 'log.level': 'silent', ...flags };
  const platform = await startPlatform({ configuration: resolveConfiguration({ flags: all }), only });
  platforms.push(platform);
  return platform;
}

describe('the probes of a process', () => {
  it.each([
    ['a topology', 'run-progress'],
    ['a service', 'trigger-matcher'],
    ['the gateway', 'gateway'],
  ])('answer when it runs only %s', async (_, role) => {
    const platform = await start([role]);
    await platform.ready();
    expect((await fetch(`${platform.probesUrl}/livez`)).status).toBe(200);
    const ready = await fetch(`${platform.probesUrl}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true }]);
    const metrics = await (await fetch(`${platform.probesUrl}/metrics`)).text();
    expect(metrics).toContain('millrace_task_taken_records');
  });

  it('ask for the token where metrics are shown, not where a prober asks', async () => {
    const { probesUrl } = await start(['trigger-matcher'], { 'http.token': 'open sesame' });
    expect((await fetch(`${probesUrl}/livez`)).status).toBe(200);
    expect((await fetch(`${probesUrl}/metrics`)).status).toBe(401);
    const headers = { authorization: 'Bearer open sesame' };
    expect((await fetch(`${probesUrl}/metrics`, { headers })).status).toBe(200);
  });

  it('do not listen where others could reach them without a token', async () => {
    const wide = start(['trigger-matcher'], { 'http.host': '0.0.0.0' });
    await expect(wide).rejects.toMatchObject({ code: 'INVALID_CONFIGURATION' });
  });

  it('say which setting to change when the port is taken', async () => {
    const { probesUrl = '' } = await start(['trigger-matcher']);
    const second = start(['trigger-matcher'], { 'http.port': new URL(probesUrl).port });
    await expect(second).rejects.toThrow(/another process listens on .*http\.port/);
  });
});

describe('a process of roles by name', () => {
  it('is refused with what was meant', async () => {
    await expect(start(['mdel-server', 'registry', 'nothing-like-it'])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message:
        "there is no service or topology 'mdel-server' (did you mean 'model-server'?), 'nothing-like-it': `millrace serve --list` lists what there is",
    });
  });
});

describe('a process is of use', () => {
  const runtime = (...stopped: string[]) => ({ stopped: () => stopped }) as unknown as Runtime;

  it('once it has caught up, until it closes', () => {
    const health = new Health(runtime());
    expect(health.unready()).toBe('the process is starting');
    health.isUp();
    expect(health.unready()).toBeUndefined();
    health.isClosing();
    health.isUp();
    expect(health.unready()).toBe('the process is closing');
  });

  it('not while something that it runs has stopped, whether it was up or not', () => {
    const health = new Health(runtime('run-progress/0', 'what follows deployments'));
    expect(health.unready()).toBe('stopped: run-progress/0, what follows deployments');
    health.isUp();
    expect(health.unready()).toBe('stopped: run-progress/0, what follows deployments');
  });

  it('not while roles catch up, which it names', () => {
    const health = new Health(runtime(), () => ['gateway', 'run-progress']);
    expect(health.unready()).toBe('the process is starting: gateway, run-progress must catch up with the log');
    health.isUp();
    expect(health.unready()).toBeUndefined();
  });
});
