/** What `doctor` checks on this machine. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { readFormat, readInstance } from '../../runtime/adapters/directory-lock.ts';
import { nearest } from '../../runtime/config/nearest.ts';
import { type Configuration, environmentName, settings } from '../../runtime/config/settings.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import { directoryFormat } from '../../runtime/profiles/open-parts.ts';
import type { Finding } from './finding.ts';

export async function checkMachine(configuration: Configuration): Promise<readonly Finding[]> {
  return [
    checkNode(),
    await checkDisk(configuration),
    checkDirectory(configuration),
    await checkPort(configuration),
    ...checkEnvironment(process.env),
  ];
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

/** Of the disk on which the directory lies, or will lie. */
async function checkDisk({ directory }: Configuration): Promise<Finding> {
  let place = resolve(directory);
  while (!existsSync(place)) place = dirname(place);
  const { bavail, bsize } = await statfs(place);
  const gibibytes = (bavail * bsize) / 2 ** 30;
  const says = `${gibibytes.toFixed(1)} GiB free for ${directory}`;
  return gibibytes > 1
    ? { check: 'disk', status: 'ok', says }
    : { check: 'disk', status: 'warning', says, fix: 'free some space, or point MILLRACE_DIRECTORY elsewhere' };
}

function checkDirectory({ directory, profile }: Configuration): Finding {
  if (profile !== 'local') return { check: 'directory', status: 'ok', says: `caches in ${directory}` };
  try {
    readFormat(directory, directoryFormat);
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

/** Variables that look like a setting and are none: nothing reads them. */
function checkEnvironment(environment: Readonly<Record<string, string | undefined>>): readonly Finding[] {
  const known = Object.keys(settings).map((name) => environmentName(name));
  return Object.keys(environment).flatMap((name): Finding[] => {
    if (!name.startsWith('MILLRACE_') || known.includes(name)) return [];
    const near = nearest(name, known, 3);
    if (near === undefined) return [];
    return [{ check: 'environment', status: 'warning', says: `${name} is no setting`, fix: `did you mean ${near}?` }];
  });
}
