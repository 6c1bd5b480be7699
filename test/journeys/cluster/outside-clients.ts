/** Programs of other makers, run as their users run them: kcat, and Python with confluent-kafka. */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceAddress } from '../../services/service-address.ts';
import { clusterAddresses, clusterMissing } from './cluster.ts';

const python = serviceAddress('MILLRACE_TEST_PYTHON', 'clients-up.sh');
const kcat = serviceAddress('MILLRACE_TEST_KCAT', 'clients-up.sh');

export const clientsMissing = clusterMissing || python.missing || kcat.missing;

export interface PublishedLine {
  /** Real name. */
  readonly topic: string;
  readonly key: string;
  readonly form: 'json' | 'avro' | 'event-binary' | 'event-structured';
  readonly headers?: Readonly<Record<string, string>>;
  /** Of a cloud event. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly value: object;
}

/** A fact as a Python consumer has decoded it. */
export interface ReadFact {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** By confluent-kafka for Python, with its partitioner; resolves once all are acknowledged. */
export async function publishByPython(lines: readonly PublishedLine[]): Promise<void> {
  const input = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await run(python.address, [program('publish.py'), clusterAddresses.kafka, clusterAddresses.registry], { input });
}

/** By confluent-kafka for Python, from the start to the present end. */
export async function readByPython(topics: readonly string[]): Promise<readonly ReadFact[]> {
  const { kafka, registry } = clusterAddresses;
  const lines = (await run(python.address, [program('read.py'), kafka, registry, ...topics])).trim().split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as ReadFact);
}

/** By kcat, with its partitioner; keys and values hold no tab and no line break. */
export async function publishByKcat(
  topic: string,
  records: readonly { readonly key: string; readonly value: object }[],
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const input = records.map(({ key, value }) => `${key}\t${JSON.stringify(value)}\n`).join('');
  const named = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}=${value}`]);
  await run(kcat.address, ['-b', clusterAddresses.kafka, '-P', '-t', topic, '-K', '\t', ...named], { input });
}

/** Every record of a topic as kcat's JSON envelope. */
export async function readByKcat(topic: string): Promise<readonly KcatRecord[]> {
  const output = await run(kcat.address, ['-b', clusterAddresses.kafka, '-C', '-t', topic, '-e', '-q', '-J']);
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as KcatRecord);
}

export interface KcatRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly payload: string;
  /** Names and values by turns. */
  readonly headers?: readonly string[];
}

export function kcatHeader({ headers = [] }: KcatRecord, name: string): string | undefined {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text === name);
  return at < 0 ? undefined : headers[at + 1];
}

/** A script of bash, with `kcat`, `python`, `node` and the given variables; rejects with what it printed when it fails. */
export async function runScript(script: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const path = [dirname(python.address), dirname(kcat.address), dirname(process.execPath), process.env['PATH'] ?? ''];
  return await run('bash', ['-euo', 'pipefail', '-s'], {
    input: script,
    environment: { ...environment, PATH: path.join(':') },
  });
}

function program(name: string): string {
  return fileURLToPath(new URL(`./clients/${name}`, import.meta.url));
}

async function run(
  command: string,
  parameters: readonly string[],
  { input = '', environment = {} }: { input?: string; environment?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const child = spawn(command, parameters, { env: { ...process.env, ...environment }, timeout: 300_000 });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const printed = Buffer.concat(output).toString();
  if (code === 0) return printed;
  throw new Error(
    `${command} ${parameters.join(' ')} ended with ${code}:\n${Buffer.concat(errors).toString()}\n${printed}`,
  );
}
