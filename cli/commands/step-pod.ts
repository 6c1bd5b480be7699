import type { CommandModule } from '../command.ts';

/** See `services/step-pod`. */
export const command: CommandModule = {
  configure: (cmd) =>
    cmd.action(async () => {
      const { runStepPod } = await import('../../services/step-pod/step-pod.ts');
      process.exitCode = await runStepPod(process.env);
    }),
};
