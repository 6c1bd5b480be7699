import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { clusterAddresses, clusterEnvironment, clusterMissing } from './cluster.ts';

const demo = fileURLToPath(new URL('../../../examples/diamonds/demo.ts', import.meta.url));
const root = fileURLToPath(new URL('../../../', import.meta.url));
const nowhere = '127.0.0.1:9';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** As `npm run demo -- …` runs it, on fewer rows. */
function runDemo(parameters: readonly string[], environment: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
  folders.push(directory);
  const all = ['--import', 'tsx', demo, '--keep', join(directory, 'data'), '--rows', '3000', ...parameters];
  return spawnSync(process.execPath, all, { cwd: root, encoding: 'utf8', env: { ...process.env, ...environment } });
}

describe.skipIf(clusterMissing)('the demo on Kafka, Redis, S3 and a schema registry', () => {
  it('keeps all its promises and exits 0', { timeout: 300_000 }, () => {
    const { status, stdout, stderr } = runDemo(['--kafka', clusterAddresses.kafka], clusterEnvironment);
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).not.toContain('✘');
    for (const promise of [
      'every request has exactly one answer',
      'every feedback counts once',
      'feedback told twice is closed as duplicate',
      'feedback for unknown predictions is accounted for',
      'feedback after the window is late',
      'the routes are compared',
      'drift is alarmed after the shift, not before',
      'outlying rows are flagged',
      'the ledger of predictions balances',
      'the ledger of feedback balances',
      'nothing was lost between topics',
      'the audit trail is intact',
      'one prediction is explained down to its trigger',
    ]) {
      expect(stdout).toContain(`✔ ${promise}`);
    }
  });

  it('names every service that it cannot reach, and the setting that says where it is', { timeout: 120_000 }, () => {
    const { status, stdout, stderr } = runDemo(['--kafka', nowhere], {
      MILLRACE_REDIS_URL: `redis://user:hidden@${nowhere}`,
      MILLRACE_S3_ENDPOINT: `http://${nowhere}`,
      MILLRACE_REGISTRY_URL: `http://${nowhere}`,
    });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    for (const named of [
      `Kafka at ${nowhere} (kafka.bootstrap, MILLRACE_KAFKA_BOOTSTRAP)`,
      `Redis at redis://${nowhere} (redis.url, MILLRACE_REDIS_URL)`,
      `S3 at http://${nowhere} (s3.endpoint, MILLRACE_S3_ENDPOINT)`,
      `the schema registry at http://${nowhere} (registry.url, MILLRACE_REGISTRY_URL)`,
    ]) {
      expect(stderr).toContain(named);
    }
    expect(stderr).not.toContain('hidden');
  });
});
