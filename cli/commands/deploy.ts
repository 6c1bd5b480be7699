import { readFile } from 'node:fs/promises';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { DeploymentSpec } from '../../sdk/deployment/index.ts';
import { Deployment } from '../../sdk/deployment/index.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { existingFile, loadDefault } from '../load-file.ts';
import { withPlatform } from '../session.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<file>', 'a TypeScript file that exports a flow or a deployment by default, or a deployment in YAML')
      .action(async (file: string) => {
        const options = optionsOf(cmd);
        const path = existingFile(file);
        const text = /\.(ya?ml|json)$/.test(path) ? await readFile(path, 'utf8') : undefined;
        const exported = text === undefined ? await loadDefault(path) : undefined;
        await withPlatform(options, async ({ client }) => {
          if (isFlow(exported)) {
            const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
            const deployed = await client.flows.deploy(await bundleFlow(path));
            show(options, deployed, ({ flow, version }) => `flow ${flow} is at version ${version}`);
            next(options, 'millrace trigger <name>', 'millrace runs list');
            return;
          }
          const spec = text ?? specOf(exported, path);
          const deployed = await client.deploy(spec);
          show(options, deployed, ({ deployment, version }) => `deployment ${deployment} is at version ${version}`);
          next(
            options,
            `millrace predict ${deployed.deployment} '[…]'`,
            `millrace deployments show ${deployed.deployment}`,
          );
        });
      }),
};

function isFlow(exported: unknown): boolean {
  return typeof exported === 'object' && exported !== null && 'millraceFlow' in exported;
}

/** The file has its own copy of the SDK, so the deployment is known by its plain form. */
function specOf(exported: unknown, path: string): DeploymentSpec {
  if (exported instanceof Deployment) return exported.spec();
  if (typeof exported === 'object' && exported !== null && 'spec' in exported && typeof exported.spec === 'function')
    return exported.spec() as DeploymentSpec;
  if (typeof exported === 'object' && exported !== null && 'routes' in exported) return exported as DeploymentSpec;
  throw new MillraceError('INVALID_ARGUMENT', `${path} exports neither a flow nor a deployment by default`);
}
