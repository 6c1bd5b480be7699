import { readFile } from 'node:fs/promises';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import type { DeployedVersion, FlowDeployOptions } from '../../sdk/client/index.ts';
import {
  type BundledDeployment,
  Deployment,
  type DeploymentSpec,
  parseDeployment,
  unbundledCode,
} from '../../sdk/deployment/index.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { existingFile, loadDefault } from '../load-file.ts';
import { withSource } from '../run/flow-source.ts';
import { withPlatform } from '../session.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<file>', 'a TypeScript file that exports a flow or a deployment by default, or a deployment in YAML')
      .option(
        '--branch <name>',
        "of a flow of a project: test.<name>, or prod.<name> with --production (default: the user's own)",
      )
      .option('--production', 'of a flow of a project: its production branch')
      .option('--authorize <token>', 'production token of a flow that others deployed')
      .option('--generate-new-token', 'begin a new namespace for the runs of the flow')
      .action(async (file: string) => {
        const options = optionsOf<FlowOptions>(cmd);
        const path = existingFile(file);
        const text = /\.(ya?ml|json)$/.test(path) ? await readFile(path, 'utf8') : undefined;
        const exported = text === undefined ? await loadDefault(path) : undefined;
        await withPlatform(options, async ({ client }) => {
          if (isFlow(exported)) {
            const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
            const flow = await bundleFlow(path);
            const graph = withSource(flow.graph as FlowGraph, path);
            const deployed = await client.flows.deploy({ ...flow, graph }, flowOptions(options));
            show(options, deployed, ({ flow, version }) => `flow ${flow} is at version ${version}`);
            next(options, `millrace flows show ${deployed.flow}`, `millrace flows start ${deployed.flow}`);
            return;
          }
          const spec = text === undefined ? specOf(exported, path) : parsed(text, path);
          const deployed = await client.deploy(await bundled(spec, path, text === undefined));
          show(options, deployed, deployedText);
          next(
            options,
            deployed.ready === false
              ? `millrace deployments status ${deployed.deployment}`
              : `millrace predict ${deployed.deployment} '[…]'`,
            `millrace deployments show ${deployed.deployment}`,
          );
        });
      }),
};

function deployedText({ deployment, version, ready, reason = '' }: DeployedVersion): string {
  const text = `deployment ${deployment} is at version ${version}`;
  return ready === false ? `${text}, which is not ready: ${reason}` : text;
}

interface FlowOptions {
  readonly branch?: string;
  readonly production?: boolean;
  readonly authorize?: string;
  readonly generateNewToken?: boolean;
}

function flowOptions({ branch, production, authorize, generateNewToken }: FlowOptions): FlowDeployOptions {
  return {
    ...(branch === undefined ? {} : { branch }),
    ...(production === undefined ? {} : { production }),
    ...(authorize === undefined ? {} : { authorize }),
    ...(generateNewToken === undefined ? {} : { newToken: generateNewToken }),
  };
}

function isFlow(exported: unknown): boolean {
  return typeof exported === 'object' && exported !== null && 'millraceFlow' in exported;
}

function parsed(text: string, path: string): DeploymentSpec {
  try {
    return parseDeployment(text);
  } catch (cause) {
    throw new MillraceError('INVALID_ARGUMENT', `${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Code goes with the deployment: that of a TypeScript file is the file itself, that of YAML lies in the files that it names. */
async function bundled(
  spec: DeploymentSpec,
  path: string,
  typescript: boolean,
): Promise<DeploymentSpec | BundledDeployment> {
  const wanted = unbundledCode(spec);
  if (wanted.length === 0) return spec;
  const { bundleDeployment, bundleFunctions } = await import('../../runtime/adapters/bundler/bundle-code.ts');
  if (typescript && wanted.every(({ file }) => file === undefined)) return { spec, code: await bundleDeployment(path) };
  const lost = wanted.find(({ file }) => file === undefined);
  if (lost !== undefined) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${path}: function '${lost.function}' names no file: write code as './file.ts#${lost.function}'`,
    );
  }
  const files = wanted.map(({ file = '', function: called }) => ({ file, function: called }));
  return { spec, code: await bundleFunctions(path, files) };
}

/** What is wrong with a deployment is told as its problems are, without the place in the SDK that found them. */
function valid(spec: () => DeploymentSpec): DeploymentSpec {
  try {
    return spec();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new MillraceError('INVALID_ARGUMENT', error.message, { cause: error });
  }
}

/** The file has its own copy of the SDK, so the deployment is known by its plain form. */
function specOf(exported: unknown, path: string): DeploymentSpec {
  if (exported instanceof Deployment) return valid(() => exported.spec());
  if (typeof exported === 'object' && exported !== null && 'spec' in exported && typeof exported.spec === 'function') {
    const { spec } = exported;
    return valid(() => spec.call(exported) as DeploymentSpec);
  }
  if (typeof exported === 'object' && exported !== null && 'routes' in exported) return exported as DeploymentSpec;
  throw new MillraceError('INVALID_ARGUMENT', `${path} exports neither a flow nor a deployment by default`);
}
