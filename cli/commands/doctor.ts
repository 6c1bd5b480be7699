import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { readInstance } from '../../runtime/adapters/directory-lock.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import { type CommandModule, optionsOf, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { configurationOf } from '../session.ts';
import { bold, dim, green, red, yellow } from '../ui/style.ts';

interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'problem';
  readonly says: string;
  /** What to do. */
  readonly fix?: string;
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd.action(async () => {
      const options = optionsOf(cmd);
      const configuration = configurationOf(options);
      const findings = [
        checkNode(),
        await checkDisk(),
        checkDirectory(configuration),
        await checkPort(configuration),
        ...(await checkServices(configuration)),
      ];
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

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return { check: 'node', status: 'ok', says: process.version };
  return {
    check: 'node',
    status: 'problem',
    says: `${process.version}, 20.19 or newer is needed`,
    fix: 'install a newer Node',
  };
}

async function checkDisk(): Promise<Finding> {
  const { bavail, bsize } = await statfs('.');
  const gibibytes = (bavail * bsize) / 2 ** 30;
  const says = `${gibibytes.toFixed(1)} GiB free`;
  return gibibytes > 1
    ? { check: 'disk', status: 'ok', says }
    : { check: 'disk', status: 'warning', says, fix: 'free some space, or point MILLRACE_DIRECTORY elsewhere' };
}

function checkDirectory({ directory, profile }: Configuration): Finding {
  if (profile !== 'local') return { check: 'directory', status: 'ok', says: `caches in ${directory}` };
  try {
    const instance = readInstance(directory);
    const says =
      instance === undefined
        ? `${directory}, not in use`
        : `${directory}, in use by process ${instance.pid}${instance.url === undefined ? '' : ` at ${instance.url}`}`;
    return { check: 'directory', status: 'ok', says };
  } catch (error) {
    return {
      check: 'directory',
      status: 'problem',
      says: messageOf(error),
      fix: hasCode(error, 'NEWER_FORMAT') ? 'use the newer program' : 'look at the directory',
    };
  }
}

/** Of the instance that runs on the directory. */
function ownUrl({ directory, profile }: Configuration): string | undefined {
  try {
    return profile === 'local' ? readInstance(directory)?.url : undefined;
  } catch {
    return undefined; // the check of the directory tells
  }
}

async function checkPort(configuration: Configuration): Promise<Finding> {
  const port = configuration['http.port'];
  const problem = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, configuration['http.host'], () => server.close(() => resolve(undefined)));
  });
  if (problem === undefined) return { check: 'port', status: 'ok', says: `${port} is free` };
  if (ownUrl(configuration)?.endsWith(`:${port}`) === true)
    return { check: 'port', status: 'ok', says: `${port} is that of the running instance` };
  return {
    check: 'port',
    status: 'warning',
    says: `${port} cannot be listened on (${problem})`,
    fix: 'stop what uses it, or set MILLRACE_HTTP_PORT',
  };
}

/** Cluster profile: each service is opened and closed once. */
async function checkServices(configuration: Configuration): Promise<readonly Finding[]> {
  if (configuration.profile !== 'cluster') return [];
  const { openParts } = await import('../../runtime/profiles/open-parts.ts');
  try {
    const opened = await openParts({ ...configuration, 'log.level': 'silent' });
    await opened.close();
    return [{ check: 'services', status: 'ok', says: 'Kafka, Redis, S3 and the schema registry answer' }];
  } catch (error) {
    return [
      {
        check: 'services',
        status: 'problem',
        says: messageOf(error),
        fix: 'start it, or correct its address (docs/configuration.md)',
      },
    ];
  }
}
