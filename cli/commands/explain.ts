import { writeFile } from 'node:fs/promises';
import type { CausalChain } from '../../services/provenance/index.ts';
import { type CommandModule, optionsOf, print, say } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { chainSvg } from '../ui/chain-svg.ts';
import { drawChain } from '../ui/chain-tree.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument(
        '<id>',
        'of a prediction, run, task (<run>/<task>), artifact (sha256), model version (<model>/<version> or models:/<model>@<alias>), deployment (<name> or <name>/<version>), trigger, feedback, finding, alert, operation, or a record (<topic>/<partition>@<offset>)',
      )
      .option('--svg <file>', 'also draw it into this file')
      .action(async (id: string) => {
        const options = optionsOf<{ svg?: string }>(cmd);
        await withPlatform(options, async ({ client }) => {
          const chain = (await client.explain(id)) as CausalChain;
          print(options.json === true ? JSON.stringify(chain, null, 2) : drawChain(chain));
          if (options.svg !== undefined) {
            await writeFile(options.svg, chainSvg(chain));
            say(`drawn into ${options.svg}`);
          }
          if (!chain.verified) process.exitCode = exitCode.failure;
        });
      }),
};
