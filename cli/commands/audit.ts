import { type CommandModule, optionsOf, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { green, red } from '../ui/style.ts';
import { table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const verify = cmd
      .command('verify')
      .description('read the audited topics again and hold them against their hash chains');
    verify.action(async () => {
      const options = optionsOf(verify);
      await withPlatform(options, async ({ client }) => {
        const report = await client.maintenance.verifyAudit();
        show(options, report, ({ intact, chains }) => {
          const rows = table(
            chains.filter(({ links, recordsUnlinked }) => links + recordsUnlinked > 0),
            [
              { title: 'CHAIN', value: ({ topic, partition }) => `${topic}/${partition}` },
              { title: 'LINKS', value: ({ links }) => links, align: 'right' },
              { title: 'RECORDS', value: ({ recordsVerified }) => recordsVerified, align: 'right' },
              { title: 'WAITING', value: ({ recordsUnlinked }) => recordsUnlinked, align: 'right' },
              {
                title: '',
                value: ({ problems }) => (problems.length === 0 ? green('intact') : red(problems[0]?.message ?? '')),
              },
            ],
          );
          return `${rows}\n${intact ? green('the audit trail is intact') : red('the audit trail is broken')}`;
        });
        if (!report.intact) process.exitCode = exitCode.failure;
      });
    });
  },
};
