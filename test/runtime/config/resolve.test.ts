import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';

describe('the configuration', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-config-'));
  const file = join(directory, 'millrace.yaml');
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('takes a flag before the environment, that before the file, and that before the default', () => {
    writeFileSync(file, 'http:\n  port: 1001\n  host: 127.0.0.2\nkafka:\n  replication: 3\n');
    const environment = { MILLRACE_HTTP_PORT: '1002', MILLRACE_HTTP_HOST: '127.0.0.3' };
    const resolved = resolveConfiguration({ flags: { 'http.port': '1003' }, environment, file });
    expect(resolved['http.port']).toBe(1003);
    expect(resolved['http.host']).toBe('127.0.0.3');
    expect(resolved['kafka.replication']).toBe(3);
    expect(resolved.profile).toBe('local');
  });

  it('names every problem with its place and what is accepted', () => {
    writeFileSync(file, 'profile: laptop\nhttp:\n  prot: 1\n');
    const environment = { MILLRACE_HTTP_PORT: '99999', MILLRACE_KAFKA_TLS: 'perhaps' };
    expect(() => resolveConfiguration({ environment, file, flags: { 'http.hosst': 'x' } })).toThrow(
      expect.objectContaining({
        code: 'INVALID_CONFIGURATION',
        details: {
          problems: [
            "'http.hosst' (flag) is no setting; did you mean 'http.host'?",
            `'http.prot' (${file}) is no setting; did you mean 'http.port'?`,
            `profile in ${file} must be one of 'local', 'cluster', got 'laptop'`,
            "MILLRACE_HTTP_PORT must be a whole number from 0 to 65535, got '99999'",
            "MILLRACE_KAFKA_TLS must be true or false, got 'perhaps'",
          ],
        },
      }),
    );
  });

  it('never prints a secret', () => {
    const error = captured(() => resolveConfiguration({ flags: { 'http.token': 7 as never } }));
    expect(error).toContain('got a secret');
  });
});

function captured(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return String(error);
  }
  return '';
}
