import { messageOf } from '../../runtime/ports/errors.ts';
import { type CommandModule, optionsOf, say, show } from '../command.ts';
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
          const all = roles.map(({ name, kind, summary }) => ({ name, kind, summary }));
          show(options, all, (rows) =>
            rows.map(({ name, kind, summary }) => `${name.padEnd(28)} ${kind.padEnd(9)} ${summary}`).join('\n'),
          );
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
        // from here on it ends when it is told to, and in order
        const stopped = untilStopped();
        const what = wanted.length === 0 ? 'everything' : wanted.join(', ');
        const where = platform.probesUrl === undefined ? '' : ` at ${platform.probesUrl}`;
        say(`starting ${what}${where}: /readyz says what it waits for`);
        platform.ready().then(
          () => say(`serving ${what}${where}`),
          (error: unknown) =>
            say(`not ready${where}: ${messageOf(error)}. What can work does; /readyz says what has stopped`),
        );
        await stopped;
        await platform.close();
        process.exitCode = exitCode.ok;
      }),
};
