import type { PredictionReplay } from '../../sdk/client/index.ts';
import { type CommandModule, optionsOf, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { dim, green, red } from '../ui/style.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    cmd.argument('<prediction id>').action(async (id: string) => {
      const options = optionsOf(cmd);
      await withPlatform(options, async ({ client }) => {
        const replay = await client.replayPrediction(id);
        show(options, replay, draw);
        if (!replay.identical || !replay.inputsIntact) process.exitCode = exitCode.failure;
      });
    });
  },
};

function draw(replay: PredictionReplay): string {
  const { deployment, deploymentVersion, route, models, inputsIntact, identical, differences } = replay;
  return [
    `${deployment} version ${deploymentVersion}, route ${route}`,
    ...models.map(({ model, modelVersion, artifactHash }) => `models:/${model}/${modelVersion} ${dim(artifactHash)}`),
    inputsIntact ? green('the inputs are those of the request') : red('the inputs are not those of the request'),
    identical ? green('the outputs are the same, byte for byte') : red('the outputs are not the same'),
    dim(`recorded ${replay.recordedDigest}\nreplayed ${replay.replayedDigest}`),
    ...differences.map(({ output, says, largest }) =>
      red(`${output === '' ? '' : `${output}: `}${says}${largest === null ? '' : `, by at most ${largest}`}`),
    ),
  ].join('\n');
}
