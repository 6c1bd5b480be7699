/** Sealed files of a real trail: verified without a log, tampered with in each way, redacted, archived and exported by the command line. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSnapshots } from '../../../runtime/engine/snapshot-list.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { Seals } from '../../../schemas/api/audit.ts';
import type { AuditLinked, AuditSealed, SealDue } from '../../../schemas/events.ts';
import { merkleRoot } from '../../../services/audit/merkle.ts';
import { auditRoutes } from '../../../services/audit/routes.ts';
import { createAuditSealer } from '../../../services/audit/sealer.ts';
import { hashOfSeal, sealSigner, sealVerifier } from '../../../services/audit/seal-statement.ts';
import { readSeals } from '../../../services/audit/seals.ts';
import { verifySeals } from '../../../services/audit/verify-seals.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import { auditTrail } from '../../../topologies/audit-trail.ts';
import { millrace } from '../../cli/cli-driver.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const calls = 256;
let test: TestRuntime;
let gateway: Gateway;
let url: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-seals-'));
  test = await createTestRuntime({ partitions: { operations: 1, audit: 1, 'audit-seals': 1 } });
  const { runtime } = test;
  await runtime.runTopology(auditTrail('operations'));
  await runtime.runService(createAuditSealer(runtime, sealSigner(privateKey)));
  for (let i = 0; i < calls; i++) {
    const call = { operationId: `call-${i}`, action: 'deploy', object: 'diamonds', outcome: 'accepted' };
    const data = { ...call, actor: i % 2 === 0 ? 'ada' : 'bob, "the" builder', detail: `call ${i}` };
    await runtime.publish([
      { topic: 'operations', type: 'operation-recorded', key: 'diamonds', partition: 0, id: `call-${i}`, data },
    ]);
  }
  let links: readonly AuditLinked[] = [];
  await eventually('every call is linked', async () => {
    links = await linked();
    return (links.at(-1)?.toOffset ?? 0) >= calls - 1;
  });
  await sealLinks(links.slice(0, 2), 0);
  await sealLinks(links.slice(2, 4), 1);
  await eventually('both are sealed', async () => (await seals()).sealed.length === 2);
  gateway = await createGateway({
    runtime,
    queries: {} as never,
    extensions: [auditRoutes(runtime)],
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    actor: 'os-user',
  });
  ({ url } = await gateway.listen());
});
afterAll(async () => {
  await gateway.close();
  await test.close();
  await rm(folder, { recursive: true, force: true });
});

async function linked(): Promise<readonly AuditLinked[]> {
  const links: AuditLinked[] = [];
  const topic = test.runtime.topic('audit');
  for await (const batch of test.runtime.parts.log.read({ topic, partition: 0 }, { from: 0 }))
    for (const record of batch) links.push((await test.runtime.decode('audit', record)).data);
  return links;
}

/** What the topology says of these links. */
async function sealLinks(links: readonly AuditLinked[], sequence: number): Promise<void> {
  const [first, last] = [links[0], links.at(-1)];
  if (first === undefined || last === undefined) throw new Error('no links');
  const records = links.reduce((sum, link) => sum + link.records, 0);
  const before = sequence === 0 ? 0 : ((await seals()).sealed[sequence - 1]?.timeMs ?? (await untilSealed(sequence)));
  const data: SealDue = {
    ...last,
    sequence,
    records,
    fromOffset: first.fromOffset,
    previous: first.previous,
    fromTimeMs: before,
  };
  await test.runtime.publish([
    { topic: 'audit-seals', type: 'seal-due', key: 'operations/0', data, id: `due-${sequence}-${records}` },
  ]);
}

async function untilSealed(sequence: number): Promise<number> {
  await eventually('the seal before it is made', async () => (await seals()).sealed.length >= sequence);
  return (await seals()).sealed[sequence - 1]?.timeMs ?? 0;
}

/** What the log keeper waits for. */
async function sealedPositions(): Promise<readonly object[]> {
  const { positions } = await readSnapshots(test.runtime.parts, test.runtime);
  const own = positions.filter(({ reader }) => reader === 'audit-sealer');
  return own.map(({ topic, partition, position }) => ({ topic, partition, position }));
}

const seals = async (): Promise<Seals> => await readSeals(test.runtime.parts.log, test.runtime);

const readBlob = async (hash: string): Promise<Uint8Array | undefined> =>
  await test.runtime.parts.blobs.get(hash).catch(() => undefined);

const ask = async (...words: readonly string[]) => await millrace([...words, '--url', url, '--directory', folder]);

describe('a Merkle root', () => {
  it('is that of the reference vectors of Certificate Transparency', () => {
    const entries = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const roots = [1, 2, 3, 4, 5, 6, 7, 8].map((size) =>
      merkleRoot(entries.slice(0, size).map((hex) => Buffer.from(hex, 'hex'))),
    );
    expect(roots).toEqual([
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ]);
  });
});

describe('sealed files', () => {
  it('hold without a log, each seal signed and continuing the one before it', async () => {
    const [report, ...more] = await verifySeals(await seals(), {
      readFile: readBlob,
      verifySignature: sealVerifier(publicKey),
    });
    expect(more).toEqual([]);
    expect(report).toMatchObject({ topic: 'operations', seals: 2, signed: 2, recordsRedacted: 0, problems: [] });
    expect(report?.recordsVerified).toBeGreaterThanOrEqual(calls);
  });

  it('let go of the records that they hold, and of no others', async () => {
    const last = (await seals()).sealed.at(-1)?.toOffset ?? 0;
    expect(await sealedPositions()).toEqual([{ topic: 'operations', partition: 0, position: last + 1 }]);
  });

  it.each<[string, string, (seals: Seals) => Seals]>([
    ['a seal that was taken away', 'seal-missing', (all) => ({ ...all, sealed: all.sealed.slice(1) })],
    ['a seal with another record count', 'records-altered', (all) => changed(all, 0, { records: 1 })],
    ['a seal with another digest', 'records-altered', (all) => changed(all, 1, { digest: 'f'.repeat(64) })],
    ['a seal with another root', 'records-altered', (all) => changed(all, 1, { merkleRoot: 'f'.repeat(64) })],
    ['a seal that says other offsets', 'records-altered', (all) => changed(all, 1, { fromOffset: 1 })],
    ['a seal that says another time', 'seal-broken', (all) => changed(all, 0, { timeMs: 1 })],
    ['two files exchanged', 'records-altered', exchanged],
    [
      'a redaction that nobody was told of',
      'file-missing',
      (all) => ({ ...all, redacted: [{ ...redactionOf(all.sealed[0]!), fileHash: 'a'.repeat(64) }] }),
    ],
  ])('show %s', async (_, kind, change) => {
    const [report] = await verifySeals(change(await seals()), {
      readFile: readBlob,
      verifySignature: () => true,
    });
    expect(report?.problems.map((problem) => problem.kind)).toContain(kind);
  });

  it('show every changed statement by its signature', async () => {
    const all = await seals();
    for (const part of [
      { toOffset: 7 },
      { timeMs: 1 },
      { fileBytes: 1 },
      { previousSeal: 'b' },
      { keyId: 'mallory' },
    ]) {
      const options = { readFile: readBlob, verifySignature: sealVerifier(publicKey) };
      const [report] = await verifySeals(changed(all, 1, part), options);
      const kinds = report?.problems.map(({ kind, sequence }) => `${kind} ${sequence}`);
      expect(kinds, JSON.stringify(part)).toContain('signature-invalid 1');
    }
  });

  it('are made once, whatever is said twice, and the same again', async () => {
    const before = await seals();
    await sealLinks((await linked()).slice(0, 2), 0);
    await sealLinks((await linked()).slice(0, 1), 1);
    await sealLinks((await linked()).slice(0, 1), 2); // its records do not lead to what it says
    await eventually('the third is refused', async () => (await seals()).failed.length === 1);
    const after = await seals();
    expect(after.sealed).toEqual(before.sealed);
  });

  it('are not made of records that are not those that were linked', async () => {
    const { failed, sealed } = await seals();
    expect(failed).toMatchObject([{ sequence: 2 }]);
    const [report] = await verifySeals({ sealed, failed, redacted: [], expired: [] }, { readFile: readBlob });
    expect(report?.problems).toMatchObject([{ kind: 'seal-failed', sequence: 2 }]);
  });
});

function changed(all: Seals, at: number, part: Partial<AuditSealed>): Seals {
  return { ...all, sealed: all.sealed.map((seal, index) => (index === at ? { ...seal, ...part } : seal)) };
}

function exchanged(all: Seals): Seals {
  const [first, second] = all.sealed as [AuditSealed, AuditSealed];
  return {
    ...all,
    sealed: [
      { ...first, fileHash: second.fileHash },
      { ...second, fileHash: first.fileHash },
    ],
  };
}

const redactionOf = ({ topic, partition, sequence, fileHash }: AuditSealed) => ({
  ...{ requestId: 'r', topic, partition, sequence, offset: 0, fields: [], reason: '', actor: 'mallory' },
  ...{ recordDigest: '', replacedHash: fileHash, fileHash, fileBytes: 1 },
});

describe('the command line', () => {
  it('lists seals, and copies them into an archive that verifies by itself', async () => {
    expect((await ask('audit', 'seals')).out).toMatch(/operations\/0 +0 +0\.\.127 +128/);
    const archive = join(folder, 'archive');
    const { code, out } = await ask('audit', 'archive', archive);
    expect([code, out]).toEqual([0, expect.stringMatching(/^2 sealed files in .*, 2 of them new/)]);
    expect((await ask('audit', 'archive', archive)).out).toMatch(/2 sealed files in .*, 0 of them new/);
    const key = join(folder, 'public.pem');
    await writeFile(key, publicKey);
    // the failed third seal is a problem that stays
    const verified = await millrace(['audit', 'verify', '--archive', archive, '--public-key', key, '--json']);
    const [report] = (JSON.parse(verified.out) as { sealed: { problems: { kind: string }[] }[] }).sealed;
    expect(report?.problems.map(({ kind }) => kind)).toEqual(['seal-failed']);
  });

  it('names the file of an archive in which a byte is flipped, and one that is not there', async () => {
    const archive = join(folder, 'archive');
    const [first = '', second = ''] = await readdir(join(archive, 'files'));
    const bytes = await readFile(join(archive, 'files', first));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(join(archive, 'files', first), bytes);
    await rm(join(archive, 'files', second));
    const { code, out } = await millrace(['audit', 'verify', '--archive', archive, '--json']);
    const [report] = (JSON.parse(out) as { sealed: { problems: { kind: string }[] }[] }).sealed;
    expect(code).toBe(1);
    expect(report?.problems.map(({ kind }) => kind).sort()).toEqual(['file-altered', 'file-missing', 'seal-failed']);
  });

  it('refuses a folder without seals and a key that is none', async () => {
    const empty = await millrace(['audit', 'verify', '--archive', join(folder, 'nothing')]);
    expect([empty.code === 0, empty.err]).toEqual([false, expect.stringContaining('seals.json')]);
    const key = join(folder, 'bad.pem');
    await writeFile(key, 'no key');
    const bad = await millrace(['audit', 'verify', '--archive', join(folder, 'archive'), '--public-key', key]);
    expect(bad.err).toContain('openssl genpkey -algorithm ed25519');
  });

  it('exports entries of one actor in the order of time, as JSON lines and as CSV', async () => {
    const lines = (await ask('audit', 'export', '--topic', 'operations', '--by', 'ada')).out.trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as { at: number; actor: string; data: { detail: string } });
    expect(entries).toHaveLength(calls / 2);
    expect(entries[0]).toMatchObject({ actor: 'ada', type: 'operation-recorded', data: { detail: 'call 0' } });
    expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).sort((a, b) => a - b));
    const file = join(folder, 'trail.csv');
    await ask('audit', 'export', '--format', 'csv', '--by', 'bob, "the" builder', '-o', file);
    const [head, first] = (await readFile(file, 'utf8')).split('\r\n');
    expect(head).toBe('time,topic,partition,offset,type,actor,key,id,data');
    expect(first).toContain(',operations,0,1,operation-recorded,"bob, ""the"" builder",diamonds,');
    expect((await ask('audit', 'export', '--since', 'yesterday')).err).toContain('ISO 8601');
    expect((await ask('audit', 'export', '--topic', 'drift')).code).not.toBe(0);
  });

  it('redacts fields of a sealed record for good: the old file is gone, and the seal still holds', async () => {
    const [seal] = (await seals()).sealed;
    const file = seal?.fileHash ?? '';
    const why = ['--reason', 'asked to be forgotten'];
    const done = await ask('audit', 'redact', 'operations/0@4', '--field', 'actor', 'detail', ...why);
    expect([done.code, done.out]).toEqual([0, expect.stringContaining('redacted in the file of seal 0')]);
    await eventually('the old file is gone', async () => (await readBlob(file)) === undefined);
    const all = await seals();
    expect(all.redacted).toMatchObject([{ sequence: 0, offset: 4, fields: ['actor', 'detail'], actor: 'os-user' }]);
    const text = Buffer.from((await readBlob(all.redacted[0]?.fileHash ?? '')) ?? []).toString();
    const line = JSON.parse(text.split('\n')[5] ?? '') as object;
    expect(line).toMatchObject({ offset: 4, event: { data: { actor: '[redacted]', object: 'diamonds' } } });
    expect(line).not.toHaveProperty('value');
    const options = { readFile: readBlob, verifySignature: sealVerifier(publicKey) };
    const [report] = await verifySeals({ ...all, failed: [] }, options);
    expect(report).toMatchObject({ recordsRedacted: 1, problems: [] });

    expect((await ask('audit', 'redact', 'operations/0@4', ...why)).code).toBe(0);
    const [, second] = (await seals()).redacted;
    expect(Buffer.from((await readBlob(second?.fileHash ?? '')) ?? []).toString()).toContain('"event":null');
  });

  it('says why nothing was redacted', async () => {
    const why = ['--reason', 'asked to be forgotten'];
    expect((await ask('audit', 'redact', 'operations/0@900', ...why)).err).toContain('is not sealed');
    expect((await ask('audit', 'redact', 'operations/0@5', '--field', 'salary', ...why)).err).toContain(
      "no field 'salary'",
    );
    expect((await ask('audit', 'redact', 'operations@5', ...why)).err).toContain('<topic>/<partition>@<offset>');
    expect((await ask('audit', 'redact', 'operations/0@5')).err).toContain('--reason');
  });

  it('hands out no blob that is no sealed file', async () => {
    const { hash } = await test.runtime.parts.blobs.put(Buffer.from('secret'));
    expect((await fetch(`${url}/api/v1/audit/files/${hash}`)).status).toBe(404);
  });
});

describe('holds and retention', () => {
  const why = ['--reason', 'case 17'];

  it('are shown, with who set them and why; a hold has one set of bounds', async () => {
    expect((await ask('audit', 'retention')).out).toContain('kept for ever');
    expect(await ask('audit', 'retention', '--keep-days', '365', ...why)).toMatchObject({ code: 0, err: '' });
    expect((await ask('audit', 'retention', '--keep-days', 'forever', '--topic', 'registry', ...why)).code).toBe(0);
    expect((await ask('audit', 'hold', 'case-17', '--topic', 'operations', ...why)).code).toBe(0);
    expect((await ask('audit', 'hold', 'case-17', '--topic', 'operations', ...why)).code).toBe(0);
    expect((await ask('audit', 'hold', 'case-17', ...why)).err).toContain('in force with other bounds');
    const { out } = await ask('audit', 'retention');
    expect(out).toMatch(/all others +365 days +os-user +case 17/);
    expect(out).toMatch(/registry +for ever/);
    expect(out).toMatch(/case-17 +operations +os-user/);
    const entries = (await ask('audit', 'export', '--by', 'os-user')).out;
    for (const action of ['audit.retention', 'audit.hold']) expect(entries).toContain(`"action":"${action}"`);
  });

  it.each([
    ['--keep-days', '0', ...why],
    ['--keep-days', 'soon', ...why],
    ['--keep-days', '30'],
    ['--keep-days', '30', '--topic', 'drift', ...why],
    ['--topic', 'runs'],
  ])('are refused when they say %s %s', async (...words) => {
    const { code, err } = await ask('audit', 'retention', ...words);
    expect([code === 0, err]).toEqual([false, expect.stringMatching(/keep-days|reason|topic/)]);
  });

  it('keep a file that is past its retention from going, and from being redacted', async () => {
    await expiryDue(1, 0);
    await eventually('the sealer says that it is held', async () => (await said('expiry-held')).length === 1);
    expect(await said('expiry-held')).toMatchObject([{ sequence: 1, hold: 'case-17' }]);
    const redacted = await ask('audit', 'redact', 'operations/0@130', ...why);
    expect([redacted.code === 0, redacted.err]).toEqual([false, expect.stringContaining("under the hold 'case-17'")]);
  });

  it('let it go once the hold is released; its seal stays, and the chain with it', async () => {
    const file = (await seals()).sealed[1]?.fileHash ?? '';
    expect((await ask('audit', 'release', 'case-17', ...why)).code).toBe(0);
    expect((await ask('audit', 'release', 'case-17', ...why)).err).toContain('no hold');
    await expiryDue(1, 0);
    await eventually('the file is gone', async () => (await readBlob(file)) === undefined);
    const all = { ...(await seals()), failed: [] };
    const options = { readFile: readBlob, verifySignature: sealVerifier(publicKey) };
    expect(await verifySeals(all, options)).toMatchObject([{ seals: 2, filesExpired: 1, problems: [] }]);
    const [early] = await verifySeals(
      { ...all, expired: all.expired.map((one) => ({ ...one, keepDays: 30 })) },
      options,
    );
    expect(early?.problems).toMatchObject([{ sequence: 1, kind: 'file-expired-early' }]);
    const [missing] = await verifySeals({ ...all, expired: [] }, options);
    expect(missing?.problems).toMatchObject([{ sequence: 1, kind: 'file-missing' }]);
    expect((await ask('audit', 'seals')).out).toMatch(/operations\/0 +1 .*expired/);
    const gone = await ask('audit', 'redact', 'operations/0@130', ...why);
    expect(gone.err).toContain('past its retention');
    const entries = (await ask('audit', 'export', '--topic', 'operations')).out;
    expect(entries).toContain('"action":"audit.expire","object":"operations/0@128');
  });
});

/** What the topology says of a file that is past its retention. */
async function expiryDue(sequence: number, keepDays: number): Promise<void> {
  const seal = (await seals()).sealed[sequence];
  if (seal === undefined) throw new Error(`there is no seal ${sequence}`);
  const { topic, partition, fromTimeMs, timeMs } = seal;
  const data = { topic, partition, sequence, fromTimeMs, timeMs, keepDays };
  const id = test.runtime.parts.ids.next();
  await test.runtime.publish([{ topic: 'audit-seals', type: 'expiry-due', key: 'operations/0', data, id }]);
}

async function said(type: string): Promise<readonly object[]> {
  const found: object[] = [];
  const topic = test.runtime.topic('audit-seals');
  for await (const batch of test.runtime.parts.log.read({ topic, partition: 0 }, { from: 0 }))
    for (const record of batch) {
      const event = await test.runtime.decode('audit-seals', record);
      if (event.type === type) found.push(event.data);
    }
  return found;
}

it('are continued, and redacted, as before when the state store has lost what the sealer knew', async () => {
  const before = await seals();
  await test.restart('state');
  const { runtime } = test;
  await runtime.runTopology(auditTrail('operations'));
  await runtime.runService(createAuditSealer(runtime, sealSigner(privateKey)));
  const call = { action: 'deploy', object: 'diamonds', actor: 'ada', outcome: 'accepted', detail: '' };
  const more = Array.from({ length: 64 }, (_, n) => ({ ...call, operationId: `more-${n}` }));
  const said = { topic: 'operations', type: 'operation-recorded', key: 'diamonds', partition: 0 } as const;
  await runtime.publish(more.map((data) => ({ ...said, id: data.operationId, data })));
  const link = await eventually('they are linked', async () =>
    (await linked()).find(({ fromOffset }) => fromOffset >= calls),
  );
  const due: SealDue = { ...link, sequence: 3, fromTimeMs: 0 };
  const request = { requestId: 'again', topic: 'operations', partition: 0, offset: 5 };
  const redaction = { ...request, fields: ['detail'], reason: 'asked to be forgotten', actor: 'ada' };
  await runtime.publish([
    { topic: 'audit-seals', type: 'seal-due', key: 'operations/0', data: due, id: 'due-3' },
    { topic: 'audit-seals', type: 'redaction-requested', key: 'operations/0', data: redaction, id: 'again' },
  ]);
  await eventually('both are answered', async () => (await seals()).redacted.length > before.redacted.length);
  const { sealed, failed, redacted } = await seals();
  expect([sealed.slice(0, -1), failed, redacted.slice(0, -1)]).toEqual([before.sealed, before.failed, before.redacted]);
  expect(sealed.at(-1)).toMatchObject({ sequence: 3, previousSeal: hashOfSeal(before.sealed.at(-1) as AuditSealed) });
  expect(redacted.at(-1)?.replacedHash).toBe(before.redacted.at(-1)?.fileHash);
});
