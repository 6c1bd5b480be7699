import { type CommandModule, optionsOf, say } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { configurationOf } from '../session.ts';
import { bold, cyan, dim } from '../ui/style.ts';
import { untilStopped } from '../until-stopped.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .option('--port <port>', 'port to listen on')
      .option('--no-sample', 'do not deploy the sample')
      .action(async () => {
        const options = optionsOf<{ port?: string; sample: boolean }>(cmd);
        const configuration = configurationOf(options, options.port === undefined ? {} : { 'http.port': options.port });
        const began = performance.now();
        const { startPlatform } = await import('../../services/all-in-one/platform.ts');
        const platform = await startPlatform({ configuration });
        await platform.ready();
        const { url } = platform;
        if (url === undefined) throw new Error('the gateway did not start');
        say(
          `${bold('millrace')} is up after ${((performance.now() - began) / 1000).toFixed(1)} s, data in ${configuration.directory}`,
        );
        say(`  API       ${cyan(`${url}/api/v1`)}  ${dim(`OpenAPI ${url}/api/v1/openapi.json`)}`);
        say(`  inference ${cyan(`${url}/v2`)}`);
        say(`  metrics   ${cyan(`${url}/metrics`)}`);
        if (options.sample) {
          const { deploySample } = await import('../sample.ts');
          await deploySample(url, configuration);
        }
        say(dim('Not for production as it is: one process, no authentication. Ctrl-C stops it.'));
        await untilStopped();
        await platform.close();
        process.exitCode = exitCode.ok;
      }),
};
