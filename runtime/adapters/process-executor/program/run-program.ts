/**
 * Runs a step that is a program, from within the step's process: it gets artifacts as files and a manifest, and leaves files. It is a
 * member of that process's group, so it ends with it, whatever happens.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { StepCall, StepProgram } from '../../../ports/flow-code.ts';
import { type EncodedArtifact, type FileParameter, programFolder } from '../protocol.ts';
import { type ArtifactFile, writeArtifactFile } from './artifact-files.ts';
import { CheckpointFolder } from './checkpoint-folder.ts';
import { fetchAll } from './fetch-all.ts';
import { LastLines } from './last-lines.ts';
import { ProgramFailure, userFailure } from './program-failure.ts';
import { collectOutputs, type ProgramOutputs } from './program-outputs.ts';

export interface ProgramWork {
  readonly flow: string;
  readonly call: StepCall;
  readonly program: StepProgram;
  /** What it may take. */
  readonly artifacts: readonly EncodedArtifact[];
  /** Folder with the bundle's files, if it has any. */
  readonly bundleFiles: string;
  /** The attempt's own folder; made here, removed by the parent. */
  readonly directory: string;
  /** Where outputs for the parent are put. */
  readonly handover: string;
  /** Added to the environment of this process; a PATH here goes first. */
  readonly environment: Readonly<Record<string, string>>;
  /** Parameters that are files. */
  readonly files: readonly FileParameter[];
}

/** Resolves with what it left; rejects with a {@link ProgramFailure} that says why there is nothing. */
export async function runProgram(work: ProgramWork): Promise<ProgramOutputs> {
  const { directory, program, bundleFiles, handover } = work;
  const output = join(directory, 'out');
  const files = programFolder(directory);
  mkdirSync(output, { recursive: true });
  if (existsSync(bundleFiles)) cpSync(bundleFiles, files, { recursive: true });
  const cwd = join(files, program.folder);
  mkdirSync(cwd, { recursive: true });
  for (const [path, text] of Object.entries(program.writes)) {
    mkdirSync(dirname(join(files, path)), { recursive: true });
    writeFileSync(join(files, path), text);
  }
  await fetchAll(program.downloads, work.call.signal);
  for (const [path, message] of Object.entries(program.needs)) if (!existsSync(path)) throw userFailure(message);
  const saved = join(directory, 'checkpoints');
  const manifest = writeManifest(work, output, saved);
  const { checkpoints } = work.call;
  const folder = checkpoints === undefined ? undefined : new CheckpointFolder(saved, checkpoints);
  try {
    await execute(work, { cwd, output, manifest, checkpoints: saved });
  } finally {
    await folder?.close();
  }
  const outputs = collectOutputs(program, { output, attempt: directory, handover });
  if (outputs.unnamed.length > 0) {
    const some = outputs.unnamed.slice(0, 10).join(', ');
    console.error(`millrace: left in the output folder, but named by nothing, so not kept: ${some}`);
  }
  return outputs;
}

/** What the program can read about its task. */
function writeManifest(
  { flow, call, program, artifacts, directory, files }: ProgramWork,
  output: string,
  checkpoints: string,
): string {
  const taken = program.takes ?? artifacts.map(({ name }) => name);
  const written: Record<string, ArtifactFile> = {};
  for (const name of taken) {
    const artifact = artifacts.find((other) => other.name === name);
    if (artifact === undefined)
      throw userFailure(
        `step '${call.step}' takes artifact '${name}', but there are ${artifacts.map((other) => other.name).join(', ') || 'none'}`,
      );
    written[name] = writeArtifactFile(join(directory, 'in'), artifact);
  }
  const { step, runId, taskId, attempt, idempotencyKey } = call;
  const manifest = join(directory, 'manifest.json');
  const said = {
    format: 1,
    flow,
    step,
    runId,
    taskId,
    attempt,
    idempotencyKey,
    parameters: parametersOf(call.parameters, files),
    artifacts: written,
    output,
    checkpoints,
  };
  writeFileSync(manifest, JSON.stringify(said, null, 2));
  return manifest;
}

/** A file is its path: its content may be big, and a program can read it. */
function parametersOf(
  parameters: Readonly<Record<string, unknown>>,
  files: readonly FileParameter[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.keys(parameters).map((name) => [name, files.find((file) => file.name === name)?.path ?? parameters[name]]),
  );
}

interface Places {
  readonly checkpoints: string;
  readonly cwd: string;
  readonly output: string;
  readonly manifest: string;
}

async function execute(work: ProgramWork, places: Places): Promise<void> {
  const { call, program } = work;
  const [file = '', ...words] = program.run;
  const named = shown(program.run);
  const child = spawn(file, words, {
    cwd: places.cwd,
    env: environmentOf(work, places),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const last = new LastLines();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => process.stdout.write(chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    last.push(chunk);
    process.stderr.write(chunk);
  });
  const stop = (): void => void child.kill('SIGTERM');
  call.signal.addEventListener('abort', stop, { once: true });
  const ended = await new Promise<{ code: number | null; signal: NodeJS.Signals | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }));
    // not 'close': what it left running may hold its streams open for ever
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  if (ended.error === undefined) await drained(child.stdout, child.stderr);
  call.signal.removeEventListener('abort', stop);
  if (ended.error !== undefined) throw userFailure(`${named} could not be started: ${startProblem(ended.error, file)}`);
  if (ended.signal !== null)
    throw new ProgramFailure('killed', `${named} was ended by ${ended.signal}${last.behind()}`, last.text());
  const code = ended.code ?? 0;
  // as a shell says it of a program that it started
  if (code > 128 && code <= 128 + 31)
    throw new ProgramFailure(
      'killed',
      `${named} ended with exit code ${code}, as by signal ${code - 128}${last.behind()}`,
      last.text(),
    );
  if (code !== 0)
    throw new ProgramFailure('user', `${named} ended with exit code ${code}${last.behind()}`, last.text());
}

/** What it wrote before it ended is in the log, even when something that it started still holds its streams. */
async function drained(...streams: readonly Readable[]): Promise<void> {
  const open = streams.filter(({ readableEnded, destroyed }) => !readableEnded && !destroyed);
  if (open.length === 0) return;
  const ends = open.map((stream) => new Promise<void>((resolve) => stream.once('end', resolve).once('close', resolve)));
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, drainMs);
  });
  await Promise.race([Promise.all(ends), waited]);
  clearTimeout(timer);
}

const drainMs = 500;

function environmentOf(
  { call, environment }: ProgramWork,
  { output, manifest, checkpoints }: Places,
): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => name !== 'NODE_PATH' && !name.startsWith('NODE_CHANNEL'),
  );
  const parameters = Object.entries(call.parameters).map(([name, value]) => [
    `MILLRACE_PARAMETER_${name}`,
    typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value),
  ]);
  const { PATH = '', ...more } = environment;
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    PYTHONUNBUFFERED: '1',
    ...more,
    ...(PATH === '' ? {} : { PATH: `${PATH}:${process.env['PATH'] ?? ''}` }),
    ...(Object.fromEntries(parameters) as Record<string, string>),
    MILLRACE_MANIFEST: manifest,
    MILLRACE_OUTPUT: output,
    MILLRACE_CHECKPOINTS: checkpoints,
    MILLRACE_RUN_ID: call.runId,
    MILLRACE_TASK_ID: call.taskId,
    MILLRACE_STEP: call.step,
    MILLRACE_ATTEMPT: String(call.attempt),
    MILLRACE_IDEMPOTENCY_KEY: call.idempotencyKey,
  };
}

function startProblem(error: Error, file: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return `there is no program '${file}' on this worker; install it, or name it by a path among the flow's files`;
    case 'EACCES':
      return `'${file}' may not be executed; make it executable, or start it by its interpreter`;
    case 'E2BIG':
      return 'its arguments and environment are too long; hand big values over as artifacts';
    default:
      return error.message;
  }
}

function shown(run: readonly string[]): string {
  const text = run.join(' ').replace(/\s+/g, ' ');
  return `'${text.length > 120 ? `${text.slice(0, 117)}...` : text}'`;
}
