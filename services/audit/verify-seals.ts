/**
 * Holds sealed files against their seals, with nothing but both: no log, no platform. An edit, removal, insertion or reordering, of
 * records, files or seals, is named by its chain and sequence. Whoever cuts off the newest seals together with their files goes unnoticed:
 * keep the hash of the last seal of each chain elsewhere.
 */
import { hash } from 'node:crypto';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { SealedChains, VerifiedSeals } from '../../schemas/api/audit.ts';
import type { AuditExpired, AuditSealed, RecordRedacted } from '../../schemas/events.ts';
import { merkleRoot } from './merkle.ts';
import { chainOf, digestOf, readSealFile, type SealFile } from './seal-file.ts';
import { hashOfSeal } from './seal-statement.ts';
import { fileOfSeal } from './seals.ts';

export interface SealProblem {
  readonly topic: string;
  readonly partition: number;
  readonly sequence: number;
  readonly kind:
    | 'seal-broken'
    | 'seal-missing'
    | 'seal-failed'
    | 'signature-invalid'
    | 'file-missing'
    | 'file-expired-early'
    | 'file-altered'
    | 'records-altered';
  readonly message: string;
}

export interface VerifySealsOptions {
  /** Bytes by hash; undefined when there is no such file. */
  readonly readFile: (hash: string) => Promise<Uint8Array | undefined>;
  /** Whether the right key signed it. @default signatures are not looked at */
  readonly verifySignature?: (seal: AuditSealed) => boolean;
}

/** In the order of topics and partitions. */
export async function verifySeals(seals: SealedChains, options: VerifySealsOptions): Promise<readonly VerifiedSeals[]> {
  const chains = new Set([...seals.sealed, ...seals.failed].map(({ topic, partition }) => `${topic}/${partition}`));
  const reports: VerifiedSeals[] = [];
  for (const chain of [...chains].sort()) reports.push(await verifyChain(chain, seals, options));
  return reports;
}

async function verifyChain(chain: string, seals: SealedChains, options: VerifySealsOptions): Promise<VerifiedSeals> {
  const slash = chain.lastIndexOf('/');
  const [topic, partition] = [chain.slice(0, slash), Number(chain.slice(slash + 1))];
  const of = <T extends { topic: string; partition: number; sequence: number }>(all: readonly T[]): readonly T[] =>
    all.filter((one) => one.topic === topic && one.partition === partition).sort((a, b) => a.sequence - b.sequence);
  const problems: SealProblem[] = [];
  const problem = (sequence: number, kind: SealProblem['kind'], message: string): void =>
    void problems.push({ topic, partition, sequence, kind, message: `seal ${sequence} of ${chain}: ${message}` });
  const failed = of(seals.failed);
  for (const { sequence, reason } of failed) problem(sequence, 'seal-failed', `it could not be made: ${reason}`);
  const redacted = seals.redacted.filter((one) => one.topic === topic && one.partition === partition);
  const expired = seals.expired.filter((one) => one.topic === topic && one.partition === partition);
  const counts = { recordsVerified: 0, recordsRedacted: 0, filesExpired: 0, signed: 0 };
  let before: AuditSealed | undefined;
  for (const seal of of(seals.sealed)) {
    checkOrder(seal, before, new Set(failed.map(({ sequence }) => sequence)), problem);
    if (seal.signature !== '') counts.signed += 1;
    if (options.verifySignature?.(seal) === false)
      problem(
        seal.sequence,
        'signature-invalid',
        seal.signature === '' ? 'it is not signed' : `key '${seal.keyId}' did not sign this, or is another key`,
      );
    const end = expired.find(({ sequence }) => sequence === seal.sequence);
    if (end !== undefined && (await isGone(seal, end, redacted, options, problem))) {
      counts.filesExpired += 1;
      before = seal;
      continue;
    }
    const file = await sealedFile(seal, redacted, options, problem);
    if (file !== undefined) {
      const gone = file.records.filter((record) => 'redacted' in record).length;
      counts.recordsRedacted += gone;
      counts.recordsVerified += file.records.length - gone;
    }
    before = seal;
  }
  const lastSeal = before === undefined ? '' : hashOfSeal(before);
  return { topic, partition, seals: of(seals.sealed).length, ...counts, lastSeal, problems };
}

type Say = (sequence: number, kind: SealProblem['kind'], message: string) => void;

function checkOrder(
  seal: AuditSealed,
  before: AuditSealed | undefined,
  failed: ReadonlySet<number>,
  problem: Say,
): void {
  const { sequence } = seal;
  for (let missing = (before?.sequence ?? -1) + 1; missing < sequence; missing++)
    if (!failed.has(missing)) problem(missing, 'seal-missing', 'there is none');
  if (seal.previousSeal !== (before === undefined ? '' : hashOfSeal(before)))
    problem(sequence, 'seal-broken', 'it does not continue the one before it');
  else if (before?.sequence === sequence - 1 && (before.digest !== seal.previous || before.timeMs !== seal.fromTimeMs))
    problem(sequence, 'seal-broken', 'its records do not continue those before them');
}

/** Whether its file was let go; one that an archive still has is verified like any other. Nobody deletes by an age that was not reached. */
async function isGone(
  seal: AuditSealed,
  { keepDays, expiredMs }: AuditExpired,
  redacted: readonly RecordRedacted[],
  { readFile }: VerifySealsOptions,
  problem: Say,
): Promise<boolean> {
  if ((await readFile(fileOfSeal(seal, redacted))) !== undefined) return false;
  if (expiredMs - seal.timeMs < keepDays * 86_400_000)
    problem(seal.sequence, 'file-expired-early', `its file was deleted before it was ${keepDays} days old`);
  return true;
}

/** undefined: it is not what the seal says; the problem is told. */
async function sealedFile(
  seal: AuditSealed,
  redacted: readonly RecordRedacted[],
  { readFile }: VerifySealsOptions,
  problem: Say,
): Promise<SealFile | undefined> {
  const { sequence } = seal;
  const fileHash = fileOfSeal(seal, redacted);
  const bytes = await readFile(fileHash);
  if (bytes === undefined) {
    problem(sequence, 'file-missing', `file ${fileHash} is not there`);
    return undefined;
  }
  if (hash('sha256', bytes, 'hex') !== fileHash) {
    problem(sequence, 'file-altered', `file ${fileHash} has other bytes`);
    return undefined;
  }
  try {
    const file = readSealFile(bytes);
    const difference = differenceOf(seal, file);
    if (difference === undefined) return file;
    problem(sequence, 'records-altered', difference);
  } catch (error) {
    problem(sequence, 'file-altered', messageOf(error));
  }
  return undefined;
}

function differenceOf(seal: AuditSealed, file: SealFile): string | undefined {
  if (file.records.length !== seal.records)
    return `it sealed ${seal.records} records, its file has ${file.records.length}`;
  // the offsets and digests of the seal, not those that the file claims
  const digests = file.records.map((record) => digestOf(seal, record));
  if (chainOf(seal.previous, digests) !== seal.digest) return 'the records of its file do not lead to its digest';
  if (merkleRoot(digests.map((digest) => Buffer.from(digest, 'hex'))) !== seal.merkleRoot)
    return 'the records of its file do not lead to its Merkle root';
  const offsets = file.records.map(({ offset }) => offset);
  if (
    offsets[0] !== seal.fromOffset ||
    offsets.at(-1) !== seal.toOffset ||
    offsets.some((o, i) => o <= (offsets[i - 1] ?? -1))
  )
    return 'the records of its file are at other offsets';
  return undefined;
}
