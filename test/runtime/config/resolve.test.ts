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

  it('reads lists from texts and from YAML, blanks around items or not', () => {
    writeFileSync(file, 'http.hosts: [a.example, b.example]\nkafka:\n  bootstrap: "k-1:9092, k-2:9092 ,"\n');
    const resolved = resolveConfiguration({ environment: { MILLRACE_WORKER_COMPUTE: 'process, gpu' }, file });
    expect(resolved['http.hosts']).toEqual(['a.example', 'b.example']);
    expect(resolved['kafka.bootstrap']).toEqual(['k-1:9092', 'k-2:9092']);
    expect(resolved['worker.compute']).toEqual(['process', 'gpu']);
    expect(resolved['webhooks.allow']).toEqual([]);
  });

  it('reads JSON from texts and from YAML', () => {
    writeFileSync(file, 'kubernetes:\n  node_selector: { pool: gpu }\n');
    const flags = { 'kubernetes.tolerations': '[{"key":"gpu","operator":"Exists"}]' };
    const resolved = resolveConfiguration({ environment: {}, file, flags });
    expect(resolved['kubernetes.node_selector']).toEqual({ pool: 'gpu' });
    expect(resolved['kubernetes.tolerations']).toEqual([{ key: 'gpu', operator: 'Exists' }]);
  });

  it.each([
    ['kafka.bootstrap', 'k-1', "flag kafka.bootstrap must be host:port, by comma, got 'k-1'"],
    [
      'worker.compute',
      ' ,',
      "flag worker.compute must be names of up to 40 lower-case letters, digits and '-', by comma",
    ],
    ['worker.compute', 'process,GPU', "got 'GPU'"],
    ['webhooks.allow', 'internal.example.org', 'must be networks such as 10.1.0.0/16, by comma'],
    ['grpc.port', 'x', "must be a port, or nothing, got 'x'"],
    ['kubernetes.node_selector', '[]', "must be a JSON object whose values are texts, got '[]'"],
    ['kubernetes.node_selector', '{"pool":1}', 'must be a JSON object whose values are texts'],
    ['kubernetes.tolerations', '[{]', "must be a JSON list of objects, got '[{]'"],
  ])('refuses %s of %j in words', (name, value, words) => {
    expect(captured(() => resolveConfiguration({ environment: {}, flags: { [name]: value } }))).toContain(words);
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
