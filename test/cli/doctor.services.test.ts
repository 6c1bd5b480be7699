import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../runtime/profiles/logger.ts';
import { clusterServices } from '../../runtime/profiles/open-cluster.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { clusterEnvironment, clusterMissing } from '../journeys/cluster/cluster.ts';
import { millrace } from './cli-driver.ts';

const before = { ...process.env };
afterEach(() => {
  process.env = { ...before };
});

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly says: string;
  readonly fix?: string;
}

/** What it finds with these variables beside those of the cluster; undefined takes one away. */
async function doctor(variables: Readonly<Record<string, string | undefined>> = {}): Promise<{
  readonly code: number;
  readonly found: Readonly<Record<string, Finding>>;
  readonly out: string;
}> {
  const nothing = { MILLRACE_HTTP_PORT: '0', MILLRACE_S3_BUCKET: 'doctor' };
  for (const [name, value] of Object.entries({ ...clusterEnvironment, ...nothing, ...variables })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  const { code, out } = await millrace(['doctor', '--json']);
  const found = JSON.parse(out) as readonly Finding[];
  return { code, found: Object.fromEntries(found.map((finding) => [finding.check, finding])), out };
}

describe.skipIf(clusterMissing)('`millrace doctor` on the cluster profile', () => {
  const prefix = `doctor-${randomBytes(4).toString('hex')}.`;

  it('finds each service, and the topics that are there', async () => {
    const { code, found } = await doctor({ MILLRACE_KAFKA_PREFIX: prefix });
    expect(code).toBe(0);
    for (const check of ['kafka', 'redis', 's3', 'registry', 'topics']) expect(found[check]?.status, check).toBe('ok');
    expect(found['topics']?.says).toMatch(/^(\d+) of \1 topics are not there/);
  });

  it('names each service that cannot be used, with the setting, and without its password', async () => {
    const { code, found } = await doctor({
      MILLRACE_KAFKA_BOOTSTRAP: '127.0.0.1:9',
      MILLRACE_REDIS_URL: 'redis://me:secret@127.0.0.1:9',
      MILLRACE_REGISTRY_URL: 'http://127.0.0.1:59',
      MILLRACE_S3_SECRET_ACCESS_KEY: 'wrong',
    });
    expect(code).toBe(7);
    const says = (check: string): string => `${found[check]?.status}: ${found[check]?.says}`;
    expect(says('kafka')).toMatch(
      /^problem: Kafka at 127\.0\.0\.1:9 \(kafka\.bootstrap, MILLRACE_KAFKA_BOOTSTRAP\).*ECONNREFUSED/,
    );
    expect(says('redis')).toMatch(/^problem: Redis at redis:\/\/127\.0\.0\.1:9 \(redis\.url, .*ECONNREFUSED/);
    expect(says('registry')).toMatch(/^problem: the schema registry at http:\/\/127\.0\.0\.1:59 .*ECONNREFUSED/);
    expect(says('s3')).toMatch(/^problem: S3 at .*Check the access key/);
    expect(JSON.stringify(found)).not.toContain('secret@');
  });

  it('names a topic of another partition count', async () => {
    const configuration = resolveConfiguration({
      environment: { ...clusterEnvironment, MILLRACE_LOG_LEVEL: 'silent' },
    });
    const log = await clusterServices.log.open(configuration, createLogger(configuration));
    const shape = { cleanup: 'delete', recordBytesMax: 100_000, replication: 1, minInsyncReplicas: 1 } as const;
    await log.ensureTopics([{ name: `${prefix}audit`, partitions: 7, ...shape }]);
    await log.close();
    const { code, out } = await doctor({ MILLRACE_KAFKA_PREFIX: prefix });
    expect(code).toBe(7);
    expect(out).toContain(`${prefix}audit has 7 partitions, the catalogue says 3`);
  });

  it('warns of a variable that is nearly a setting', async () => {
    const { code, found } = await doctor({ MILLRACE_KAFKA_PREFX: prefix });
    expect(code).toBe(0);
    expect(found['environment']).toMatchObject({ status: 'warning', says: 'MILLRACE_KAFKA_PREFX is no setting' });
    expect(found['environment']?.fix).toContain('MILLRACE_KAFKA_PREFIX');
  });

  it('takes the keys of S3 from where the AWS SDK finds them, when the settings say none', async () => {
    const keys = { MILLRACE_S3_ACCESS_KEY_ID: undefined, MILLRACE_S3_SECRET_ACCESS_KEY: undefined };
    const { found } = await doctor({ ...keys, AWS_ACCESS_KEY_ID: 'someone', AWS_SECRET_ACCESS_KEY: 'wrong' });
    expect(found['s3']?.status).toBe('problem');
    const known = await doctor({
      ...keys,
      AWS_ACCESS_KEY_ID: clusterEnvironment['MILLRACE_S3_ACCESS_KEY_ID'],
      AWS_SECRET_ACCESS_KEY: clusterEnvironment['MILLRACE_S3_SECRET_ACCESS_KEY'],
    });
    expect(known.found['s3']?.status).toBe('ok');
  });
});
