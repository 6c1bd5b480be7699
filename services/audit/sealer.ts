/**
 * Seals what is due: reads the records, holds them against the chain, puts them into a file and says what must be in it. Forgets fields
 * of sealed records when somebody asks, and whole files that are past their retention. Everything follows from the log and the committed values, so a repeat after a crash makes the
 * same file, the same statement and the same ids.
 *
 * What it keeps in mind: `sealer-values.ts`.
 */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type {
  IdentifiedOutput,
  Service,
  ServiceRecord,
  ServiceResult,
  ServiceTask,
} from '../../runtime/engine/service.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import { schemaIdOf } from '../../schemas/codec/framing.ts';
import type { AuditSealed, RedactionRequested, SealDue } from '../../schemas/events.ts';
import { expire } from './expiry.ts';
import { merkleRoot } from './merkle.ts';
import { redactRecord } from './redact.ts';
import { chainOf, digestOf, readSealFile, type SealFile, wholeRecord, writeSealFile } from './seal-file.ts';
import { hashOfSeal, type SealSigner, signed } from './seal-statement.ts';
import { type FileOfSeal, type LastSeal, sealKey, SealerValues } from './sealer-values.ts';
import { holdOn } from '../../topologies/audit-holds.ts';

export function createAuditSealer(runtime: Runtime, signer?: SealSigner): Service<'audit-seals'> {
  const { blobs } = runtime.parts;
  const forgetFiles = async (task: ServiceTask): Promise<string[]> => {
    const keys: string[] = [];
    for await (const [key] of task.entries('forget/')) keys.push(key);
    for (const key of keys) await blobs.delete(key.slice('forget/'.length));
    return keys;
  };
  return {
    name: 'audit-sealer',
    inputs: ['audit-seals'],
    outputs: ['audit-seals', 'operations', 'snapshots'],
    summary: 'puts linked records of the audited topics into sealed files',
    batchRecords: 16,
    keeps: true,
    async opened(task) {
      await forgetFiles(task);
    },
    async handle(batch, task) {
      const forgotten = await forgetFiles(task);
      const values = new SealerValues(task);
      const outputs: IdentifiedOutput[] = [];
      const count: Record<string, number> = {};
      for (const { event, meta, raw } of batch) {
        await values.learn(event);
        if (task.again) continue;
        await learnAhead(event, raw, values, runtime);
        const told = await answer(event, meta.timeMs, values, { runtime, signer });
        for (const output of told) count[output.type] = (count[output.type] ?? 0) + 1;
        outputs.push(...told);
      }
      const result: ServiceResult = { outputs, put: [...values.put], delete: [...forgotten, ...values.deleted], count };
      const forget = [...values.put.keys()].filter((key) => key.startsWith('forget/'));
      return forget.length === 0
        ? result
        : { ...result, committed: () => void forgetFiles(task).catch(() => undefined) };
    },
  };
}

/**
 * After values were rebuilt, an answer to what was asked before may lie behind what is asked now: a seal must follow on the one before it,
 * and a redaction must find its file.
 */
async function learnAhead(
  event: ServiceRecord['event'],
  { partition, offset }: ServiceRecord['raw'],
  values: SealerValues,
  runtime: Runtime,
): Promise<void> {
  if (event?.type === 'seal-due') {
    const { topic, partition: of, sequence } = event.data;
    const last = await values.get<LastSeal>(`chain/${topic}/${of}`);
    if (sequence <= (last?.sequence ?? -1) + 1) return;
  } else if (event?.type === 'redaction-requested') {
    const { topic, partition: of, offset: at } = event.data;
    if ((await values.fileWith(`${topic}/${of}`, at)) !== undefined) return;
  } else return;
  const place = { topic: runtime.topic('audit-seals'), partition };
  for await (const records of runtime.parts.log.read(place, { from: offset + 1 }))
    for (const record of records)
      await values.learn(await runtime.decode('audit-seals', record).catch(() => undefined));
}

interface Parts {
  readonly runtime: Runtime;
  readonly signer: SealSigner | undefined;
}

async function answer(
  event: ServiceRecord['event'],
  timeMs: number,
  values: SealerValues,
  parts: Parts,
): Promise<readonly IdentifiedOutput[]> {
  if (event?.type === 'seal-due') return await seal(event.data, timeMs, values, parts);
  if (event?.type === 'redaction-requested') return [await redact(event.data, values, parts)];
  if (event?.type === 'expiry-due') return await expire(event.data, timeMs, values);
  return [];
}

async function seal(
  span: SealDue,
  timeMs: number,
  values: SealerValues,
  { runtime, signer }: Parts,
): Promise<readonly IdentifiedOutput[]> {
  const { topic, partition, sequence, fromOffset, toOffset, records } = span;
  const source = `${topic}/${partition}`;
  const last = await values.get<LastSeal>(`chain/${source}`);
  if (last !== undefined && sequence <= last.sequence) return [];
  const id = `seal-${topic}-${partition}-${sequence}`;
  const file = await readRecords(span, runtime);
  const problem = problemOf(file);
  const previousSeal = last?.hash ?? '';
  const fileSpan = { fromOffset, toOffset, fromTimeMs: span.fromTimeMs, timeMs: span.timeMs };
  if (problem !== undefined) {
    values.put.set(`chain/${source}`, { sequence, hash: previousSeal } satisfies LastSeal);
    values.put.set(sealKey(source, sequence), { ...fileSpan, fileHash: '' } satisfies FileOfSeal);
    const data = { topic, partition, sequence, fromOffset, toOffset, records, reason: problem };
    return [{ topic: 'audit-seals', type: 'seal-failed', key: source, data, id }];
  }
  const stored = await runtime.parts.blobs.put(writeSealFile(file));
  const root = merkleRoot(file.records.map((record) => Buffer.from(digestOf(span, record), 'hex')));
  const { fromTimeMs, previous, digest } = span;
  const statement = signed(
    {
      ...{ topic, partition, sequence, fromOffset, toOffset, records, previous, digest, fromTimeMs },
      timeMs: span.timeMs,
      merkleRoot: root,
      fileHash: stored.hash,
      fileBytes: stored.sizeBytes,
      previousSeal,
    },
    signer,
  );
  values.put.set(`chain/${source}`, { sequence, hash: hashOfSeal(statement) } satisfies LastSeal);
  values.put.set(sealKey(source, sequence), { ...fileSpan, fileHash: stored.hash } satisfies FileOfSeal);
  return [
    { topic: 'audit-seals', type: 'audit-sealed', key: source, data: statement satisfies AuditSealed, id },
    // the records themselves may go now, as far as the seals are concerned
    {
      topic: 'snapshots',
      type: 'position-reported',
      key: `audit-sealer@${source}`,
      data: { reader: 'audit-sealer', topic, partition, position: toOffset + 1 },
      id: `${id}@${timeMs}`,
    },
  ];
}

async function readRecords(span: SealDue, runtime: Runtime): Promise<SealFile> {
  const { partition, fromOffset, toOffset } = span;
  const place = { topic: runtime.topic(span.topic), partition };
  const start = (await runtime.parts.log.startOffsets(place.topic))[partition] ?? 0;
  const records: SealFile['records'][number][] = [];
  const schemas: Record<string, unknown> = {};
  let timeMs = span.fromTimeMs;
  const from = Math.max(start, fromOffset);
  for await (const batch of from > toOffset ? [] : runtime.parts.log.read(place, { from, to: toOffset + 1 })) {
    for (const record of batch) {
      timeMs = Math.max(timeMs, record.timestampMs);
      records.push(wholeRecord(record, timeMs));
      const id = record.value === null ? undefined : schemaIdOf(record.value);
      if (id !== undefined && !Object.hasOwn(schemas, id)) schemas[id] = await schemaOf(id, runtime);
    }
  }
  return { span, schemas, records };
}

/** null: the record is garbage, and sealed as that. */
async function schemaOf(id: number, { parts: { registry } }: Runtime): Promise<unknown> {
  try {
    return JSON.parse(await registry.schema(id)) as unknown;
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'UNKNOWN_SCHEMA') return null;
    throw error;
  }
}

/** undefined: the records are those that were linked. */
function problemOf({ span, records }: SealFile): string | undefined {
  const range = `offsets ${span.fromOffset}..${span.toOffset} of ${span.topic}/${span.partition}`;
  if (records.length !== span.records)
    return `${range} held ${span.records} records when linked, now ${records.length}`;
  const digests = records.map((record) => digestOf(span, record));
  if (chainOf(span.previous, digests) !== span.digest) return `${range} are not the records that were linked`;
  return undefined;
}

async function redact(
  request: RedactionRequested,
  values: SealerValues,
  { runtime }: Parts,
): Promise<IdentifiedOutput> {
  const { requestId, topic, partition, offset, fields, reason, actor } = request;
  const source = `${topic}/${partition}`;
  try {
    const [sequence, file] = (await values.fileWith(source, offset)) ?? [];
    if (sequence === undefined || file === undefined || (file.fileHash === '' && file.expired !== true))
      throw new MillraceError(
        'NOT_FOUND',
        `record ${source}@${offset} is not sealed (yet): see 'millrace audit seals'`,
      );
    if (file.expired === true)
      throw new MillraceError('NOT_FOUND', `record ${source}@${offset} is past its retention: its file is deleted`);
    const hold = holdOn({ topic, ...file }, await values.holds());
    if (hold !== undefined)
      throw new MillraceError(
        'CONFLICT',
        `record ${source}@${offset} is under the hold '${hold.name}': nothing of it may be changed until 'millrace audit release ${hold.name}'`,
      );
    const sealed = readSealFile(await runtime.parts.blobs.get(file.fileHash));
    const at = sealed.records.findIndex((record) => record.offset === offset);
    const record = sealed.records[at];
    if (record === undefined) throw new MillraceError('NOT_FOUND', `there is no record ${source}@${offset}`);
    const redacted = await redactRecord(sealed.span, record, fields, runtime);
    const stored = await runtime.parts.blobs.put(
      writeSealFile({ ...sealed, records: sealed.records.with(at, redacted) }),
    );
    values.put.set(sealKey(source, sequence), { ...file, fileHash: stored.hash } satisfies FileOfSeal);
    if (stored.hash !== file.fileHash) values.put.set(`forget/${file.fileHash}`, true);
    const data = {
      ...{ requestId, topic, partition, sequence, offset, fields, reason, actor },
      recordDigest: redacted.redacted,
      replacedHash: file.fileHash,
      fileHash: stored.hash,
      fileBytes: stored.sizeBytes,
    };
    return { topic: 'audit-seals', type: 'record-redacted', key: source, data, id: `${requestId}-redacted` };
  } catch (error) {
    if (
      !(error instanceof MillraceError) ||
      !['NOT_FOUND', 'INVALID_ARGUMENT', 'POISON_RECORD', 'CONFLICT'].includes(error.code)
    )
      throw error;
    const data = { requestId, topic, partition, offset, code: error.code, reason: messageOf(error) };
    return { topic: 'audit-seals', type: 'redaction-refused', key: source, data, id: `${requestId}-refused` };
  }
}
