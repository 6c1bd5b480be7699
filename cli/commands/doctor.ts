import { type CommandModule, optionsOf, show } from '../command.ts';
import type { Finding } from '../doctor/finding.ts';
import { checkMachine } from '../doctor/machine.ts';
import { exitCode } from '../exit-codes.ts';
import { configurationOf } from '../session.ts';
import { bold, dim, green, red, yellow } from '../ui/style.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd.action(async () => {
      const options = optionsOf(cmd);
      const configuration = configurationOf(options);
      const cluster = configuration.profile === 'cluster' ? await import('../doctor/cluster.ts') : undefined;
      const [machine, services = []] = await Promise.all([
        checkMachine(configuration),
        cluster?.checkCluster(configuration),
      ]);
      const findings = [...machine, ...services];
      show(options, findings, draw);
      if (findings.some(({ status }) => status === 'problem')) process.exitCode = exitCode.degraded;
    }),
};

function draw(findings: readonly Finding[]): string {
  const mark = { ok: green('✔'), warning: yellow('!'), problem: red('✘') };
  return findings
    .map(
      ({ check, status, says, fix }) =>
        `${mark[status]} ${bold(check.padEnd(16))} ${says}${fix === undefined ? '' : `\n    ${dim('fix:')} ${fix}`}`,
    )
    .join('\n');
}
