/** The dashboards and rules on a real Prometheus that scrapes a platform. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { serviceAddress } from '../services/service-address.ts';

const folder = join(import.meta.dirname, '../../deploy/monitoring');
const { address: prometheus, missing } = serviceAddress('MILLRACE_TEST_PROMETHEUS', 'prometheus-bin.sh');
const { address: promtool } = serviceAddress('MILLRACE_TEST_PROMTOOL', 'prometheus-bin.sh');

describe.skipIf(missing)('Prometheus', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
  let platform: Platform;
  let server: ChildProcess;
  let port: number;

  beforeAll(async () => {
    const flags = { directory: join(directory, 'millrace'), 'http.port': '0', 'log.level': 'silent' };
    platform = await startPlatform({ configuration: resolveConfiguration({ flags, environment: {} }) });
    await platform.ready();
    port = await freePort();
    mkdirSync(join(directory, 'tsdb'));
    const configuration = join(directory, 'prometheus.yml');
    const target = new URL(platform.url ?? '').host;
    writeFileSync(
      configuration,
      `global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: ['${join(folder, 'rules.yaml')}']\nscrape_configs: [{job_name: millrace, static_configs: [{targets: ['${target}']}]}]\n`,
    );
    server = spawn(
      prometheus,
      [
        `--config.file=${configuration}`,
        `--web.listen-address=127.0.0.1:${port}`,
        `--storage.tsdb.path=${join(directory, 'tsdb')}`,
      ],
      { stdio: 'ignore' },
    );
    await eventually(
      'Prometheus scraped the platform',
      async () => (await query('millrace_task_up')).length > 0,
      60_000,
    );
  }, 120_000);
  afterAll(async () => {
    server?.kill();
    await platform?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function query(expression: string): Promise<readonly unknown[]> {
    const url = new URL(`http://127.0.0.1:${port}/api/v1/query`);
    url.searchParams.set('query', expression);
    const response = await fetch(url).catch(() => undefined);
    // Not there yet, or not ready yet.
    if (response === undefined || response.status === 503) return [];
    const answer = (await response.json()) as { status: string; error?: string; data?: { result: unknown[] } };
    if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error}`);
    return answer.data?.result ?? [];
  }

  it('finds the rules right, and each alert in its history', () => {
    const run = (...command: string[]): string => execFileSync(promtool, command, { cwd: folder, encoding: 'utf8' });
    expect(run('check', 'rules', 'rules.yaml')).toContain('SUCCESS');
    expect(run('test', 'rules', 'rules.test.yaml')).toContain('SUCCESS');
  });

  it('understands the query of every panel', async () => {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
      const { panels } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
        panels: { targets?: { expr: string }[] }[];
      };
      for (const { expr } of panels.flatMap(({ targets = [] }) => targets))
        await query(expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'));
    }
  });

  it('shows what a detector said, and raises its alert', async () => {
    const data = {
      deployment: 'diamonds',
      kind: 'drift',
      subject: 'carat',
      message: 'carat drifts',
      evidenceId: 'w',
      alertId: 'a',
      deploymentVersion: 1,
    };
    await platform.runtime.publish([{ topic: 'alerts', type: 'alert-raised', key: 'diamonds', id: 'alert-a', data }]);
    await eventually(
      'the alert fires',
      async () =>
        (await query('ALERTS{alertname="MillraceAlertActive",alertstate="firing",deployment="diamonds"}')).length === 1,
      60_000,
    );
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
