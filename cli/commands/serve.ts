import { type CommandModule, optionsOf, say } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { configurationOf } from '../session.ts';
import { untilStopped } from '../until-stopped.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('[role...]', 'services and topologies by name; none: all')
      .option('--topologies', 'all topologies')
      .option('--list', 'list what there is')
      .action(async (named: readonly string[]) => {
        const options = optionsOf<{ topologies?: boolean; list?: boolean }>(cmd);
        const { roles } = await import('../../services/all-in-one/roles.ts');
        if (options.list === true) {
          for (const { name, kind, summary } of roles)
            process.stdout.write(`${name.padEnd(28)} ${kind.padEnd(9)} ${summary}\n`);
          return;
        }
        const topologies =
          options.topologies === true ? roles.filter(({ kind }) => kind === 'topology').map(({ name }) => name) : [];
        const wanted = [...named, ...topologies];
        const { startPlatform } = await import('../../services/all-in-one/platform.ts');
        const platform = await startPlatform({
          configuration: configurationOf(options),
          only: wanted.length === 0 ? undefined : wanted,
        });
        await platform.ready();
        say(
          `serving ${wanted.length === 0 ? 'everything' : wanted.join(', ')}${platform.probesUrl === undefined ? '' : ` at ${platform.probesUrl}`}`,
        );
        await untilStopped();
        await platform.close();
        process.exitCode = exitCode.ok;
      }),
};
