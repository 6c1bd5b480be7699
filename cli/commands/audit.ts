import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Option } from 'commander';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { AuditEntry, AuditVerification } from '../../sdk/client/index.ts';
import { csvRow } from '../audit/csv.ts';
import { drawSeals } from '../audit/draw-seals.ts';
import { retentionVerbs } from '../audit/retention-verbs.ts';
import { type CommandModule, next, optionsOf, say, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { green, red } from '../ui/style.ts';
import { table } from '../ui/table.ts';

interface ExportOptions {
  readonly format: 'jsonl' | 'csv';
  readonly topic?: string;
  readonly since?: string;
  readonly until?: string;
  readonly by?: string;
  readonly output?: string;
}

export const command: CommandModule = {
  configure: (cmd) => {
    const verify = cmd
      .command('verify')
      .description('hold the audited topics against their hash chains, and sealed files against their seals')
      .option('--archive <folder>', 'verify an archive instead, without a platform')
      .option('--public-key <file>', 'every seal of the archive must be signed by this Ed25519 key (PEM)');
    verify.action(async () => {
      const options = optionsOf<{ archive?: string; publicKey?: string }>(verify);
      const judge = (report: Pick<AuditVerification, 'intact' | 'sealed'> & Partial<AuditVerification>): void => {
        show(options, report, drawVerification);
        if (!report.intact) process.exitCode = exitCode.failure;
      };
      if (options.archive === undefined)
        return await withPlatform(options, async ({ client }) => judge(await client.audit.verify()));
      const { verifyArchive } = await import('../audit/archive.ts');
      const key = options.publicKey === undefined ? undefined : await readFile(options.publicKey, 'utf8');
      return judge(await verifyArchive(options.archive, key));
    });

    const seals = cmd.command('seals').description('sealed files of the audit trail');
    seals.action(async () => {
      const options = optionsOf(seals);
      await withPlatform(options, async ({ client }) => {
        show(options, await client.audit.seals(), drawSeals);
      });
    });

    const archive = cmd
      .command('archive')
      .description('copy the sealed files with their seals into a folder; what is there already stays')
      .argument('<folder>');
    archive.action(async (folder: string) => {
      const options = optionsOf(archive);
      const { writeArchive } = await import('../audit/archive.ts');
      await withPlatform(options, async ({ client }) => {
        const tty = process.stderr.isTTY && options.json !== true;
        const { files, fetched } = await writeArchive(client, folder, (done, of) => {
          if (tty) process.stderr.write(`\r${done} of ${of} files${done === of ? '\n' : ''}`);
        });
        show(options, { folder, files, fetched }, () => `${files} sealed files in ${folder}, ${fetched} of them new`);
        next(options, `millrace audit verify --archive ${folder}`);
      });
    });

    const exported = cmd
      .command('export')
      .description('events of the audited topics in the order of time')
      .addOption(new Option('--format <format>', 'of the output').choices(['jsonl', 'csv']).default('jsonl'))
      .option('--topic <name>', 'only of this topic')
      .option('--since <time>', 'appended at or after: ISO 8601, or milliseconds')
      .option('--until <time>', 'appended before')
      .option('--by <actor>', 'only what this actor asked for')
      .option('-o, --output <file>', 'write there instead of to standard output');
    exported.action(async () => {
      const options = optionsOf<ExportOptions>(exported);
      const { format, topic, since, until, by, output } = options;
      await withPlatform(options, async ({ client }) => {
        const entries = client.audit.entries({ topic, since, until, actor: by });
        const target = output === undefined ? process.stdout : createWriteStream(output);
        const counted = { entries: 0 };
        await pipeline(Readable.from(linesOf(entries, format, counted)), target, { end: output !== undefined });
        if (output !== undefined) say(`${counted.entries} entries: ${output}`);
      });
    });

    retentionVerbs(cmd);

    const redact = cmd
      .command('redact')
      .description('forget fields of a sealed record; its digest stays, so the trail can still be verified')
      .argument('<record>', '<topic>/<partition>@<offset>')
      .requiredOption('--reason <text>', 'why; it is kept')
      .option('--field <path...>', 'fields of the event, as a.b (default: all of the record)');
    redact.action(async (record: string) => {
      const options = optionsOf<{ reason: string; field?: readonly string[] }>(redact);
      const { reason, field: fields } = options;
      const place = placeOf(record);
      await withPlatform(options, async ({ client }) => {
        const redacted = await client.audit.redact({ ...place, fields, reason });
        show(options, redacted, () => `${record} is redacted in the file of seal ${redacted.sequence}`);
        next(options, 'millrace audit verify');
      });
    });
  },
};

function placeOf(record: string): { readonly topic: string; readonly partition: number; readonly offset: number } {
  const [, topic = '', partition, offset] = /^([a-z-]+)\/(\d{1,5})@(\d{1,15})$/.exec(record) ?? [];
  if (topic !== '') return { topic, partition: Number(partition), offset: Number(offset) };
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `'${record}' names no record: expected <topic>/<partition>@<offset>, like predictions/3@1042`,
  );
}

async function* linesOf(
  entries: AsyncIterable<AuditEntry>,
  format: 'jsonl' | 'csv',
  counted: { entries: number },
): AsyncGenerator<string> {
  if (format === 'csv') yield 'time,topic,partition,offset,type,actor,key,id,data\r\n';
  for await (const entry of entries) {
    counted.entries += 1;
    const { at, topic, partition, offset, type, actor, key, id, data } = entry;
    const row = [new Date(at).toISOString(), topic, partition, offset, type, actor, key, id, JSON.stringify(data)];
    yield format === 'csv' ? `${csvRow(row)}\r\n` : `${JSON.stringify(entry)}\n`;
  }
}

function drawVerification({
  intact,
  chains = [],
  sealed,
}: Pick<AuditVerification, 'intact' | 'sealed'> & Partial<AuditVerification>): string {
  const verdict = (problems: readonly { readonly message: string }[]): string =>
    problems.length === 0 ? green('intact') : red(problems[0]?.message ?? '');
  const linked = chains.filter(({ links, recordsUnlinked }) => links + recordsUnlinked > 0);
  return [
    ...(linked.length === 0
      ? []
      : [
          table(linked, [
            { title: 'CHAIN', value: ({ topic, partition }) => `${topic}/${partition}` },
            { title: 'LINKS', value: ({ links }) => links, align: 'right' },
            { title: 'RECORDS', value: ({ recordsVerified }) => recordsVerified, align: 'right' },
            { title: 'WAITING', value: ({ recordsUnlinked }) => recordsUnlinked, align: 'right' },
            { title: '', value: ({ problems }) => verdict(problems) },
          ]),
        ]),
    ...(sealed.length === 0
      ? []
      : [
          table(sealed, [
            { title: 'SEALED', value: ({ topic, partition }) => `${topic}/${partition}` },
            { title: 'SEALS', value: ({ seals }) => seals, align: 'right' },
            { title: 'RECORDS', value: ({ recordsVerified }) => recordsVerified, align: 'right' },
            { title: 'REDACTED', value: ({ recordsRedacted }) => recordsRedacted, align: 'right' },
            { title: 'EXPIRED', value: ({ filesExpired }) => filesExpired, align: 'right' },
            { title: 'SIGNED', value: ({ signed, seals }) => `${signed} of ${seals}`, align: 'right' },
            { title: 'LAST SEAL', value: ({ lastSeal }) => lastSeal.slice(0, 16) },
            { title: '', value: ({ problems }) => verdict(problems) },
          ]),
        ]),
    intact ? green('the audit trail is intact') : red('the audit trail is broken'),
  ].join('\n');
}
