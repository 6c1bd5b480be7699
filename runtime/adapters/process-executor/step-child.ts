/**
 * The process in which steps run: one at a time, many over its life. It ends when its parent is gone, whatever user code is doing.
 */
import { openSync, readFileSync, writeFileSync, closeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decodeArtifact, encodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import { type FlowCode, isFlowCode, type StepCall, type StepProgram, type StepResult } from '../../ports/flow-code.ts';
import { captureLog } from './child-log.ts';
import {
  bundleFolder,
  type EncodedArtifact,
  type FromChild,
  inlineBytesMax,
  type RunStep,
  type ToChild,
  programFolder,
} from './protocol.ts';
import { groupMembers } from './program/process-group.ts';
import { ProgramFailure } from './program/program-failure.ts';
import type { ProgramOutputs } from './program/program-outputs.ts';
import { startWatchdog } from './watchdog.ts';

const bundles = new Map<string, Promise<FlowCode>>();
const log = captureLog();
let current: { readonly number: number; readonly abort: AbortController } | undefined;

process.on('message', (message) => void take(message as ToChild));
process.on('disconnect', () => endAll());
process.on('uncaughtException', (error) => spoil(error));
process.on('unhandledRejection', (reason) => spoil(reason));
const watchdog = startWatchdog(Number(process.argv[2] ?? '0'));
let environmentReady: ((variables: Readonly<Record<string, string>>) => void) | undefined;
say({ type: 'ready' });

async function take(message: ToChild): Promise<void> {
  switch (message.type) {
    case 'run':
      await run(message);
      return;
    case 'abort':
      if (current?.number === message.number) current.abort.abort(new Error('the step is to stop'));
      return;
    case 'environment':
      environmentReady?.(message.variables);
      return;
    case 'load':
      await load(message.bundlePath).catch(() => undefined);
      return;
    case 'describe':
      await describe(message.bundlePath);
      return;
  }
}

async function run(work: RunStep): Promise<void> {
  const abort = new AbortController();
  current = { number: work.number, abort };
  log.begin();
  try {
    const flow = await load(work.bundlePath);
    const { artifacts, branches } = inputsOf(work);
    const began = performance.now();
    const { step, runId, taskId, attempt, idempotencyKey } = work;
    const parameters = JSON.parse(work.parameters) as Readonly<Record<string, unknown>>;
    const call = {
      step,
      artifacts,
      branches,
      parameters,
      runId,
      taskId,
      attempt,
      idempotencyKey,
      signal: abort.signal,
      folder: programFolder(work.attemptDirectory),
    };
    const result = await flow.runStep(call);
    const left =
      result.program === undefined ? leaveAll(result, work.outDirectory) : await runApart(result.program, call, work);
    const userMs = performance.now() - began;
    const spoiled = result.program !== undefined && leftRunning();
    say({ type: 'completed', number: work.number, ...left, userMs, logged: log.end(), spoiled });
  } catch (error) {
    // a program that failed may have left others running
    const spoiled = error instanceof ProgramFailure && leftRunning();
    const kind = error instanceof ProgramFailure ? error.kind : 'user';
    say({ type: 'failed', number: work.number, kind, ...describeError(error), logged: log.end(), spoiled });
  } finally {
    current = undefined;
    environmentReady = undefined;
  }
}

function leaveAll(result: StepResult, directory: string): Pick<ProgramOutputs, 'artifacts' | 'models'> {
  const artifacts = Object.entries(result.artifacts).map(([name, value]) => {
    const { codec, bytes } = encodeArtifact(name, value);
    return leave(name, codec, bytes, directory);
  });
  const models = result.models.map(({ onnx, ...model }) => ({
    ...model,
    artifact: leave('onnx', 'onnx', onnx, directory),
  }));
  return { artifacts, models };
}

/** Runs a program for the step; its code is loaded only when there is one. */
async function runApart(
  program: StepProgram,
  call: StepCall,
  work: RunStep,
): Promise<Pick<ProgramOutputs, 'artifacts' | 'models'>> {
  const { runProgram } = await import('./program/run-program.ts');
  const { python } = program;
  const ready = new Promise<Readonly<Record<string, string>>>((resolve) => {
    environmentReady = resolve;
  });
  say({ type: 'program', number: work.number, python });
  const environment = python === undefined ? {} : await ready;
  watchdog.watchGroup(true);
  try {
    const { artifacts, models } = await runProgram({
      flow: work.flow,
      call,
      program,
      artifacts: work.inputs.find(({ branch }) => branch === '')?.artifacts ?? [],
      bundleFiles: bundleFolder(work.bundlePath),
      directory: work.attemptDirectory,
      handover: work.outDirectory,
      environment,
    });
    return { artifacts, models };
  } finally {
    watchdog.watchGroup(false);
  }
}

/** Whether something of a program still runs; where the machine does not say, it may. */
function leftRunning(): boolean {
  return groupMembers(process.pid)?.length !== 0;
}

/** Loaded once; a bundle's name is its hash, so it never changes. */
function load(bundlePath: string): Promise<FlowCode> {
  const known = bundles.get(bundlePath);
  if (known !== undefined) return known;
  const loading = import(pathToFileURL(bundlePath).href).then(
    (module: { default?: unknown }) => {
      if (isFlowCode(module.default)) return module.default;
      throw new Error("the bundle's default export is no flow: write `export default flow('name')...`");
    },
    (error: unknown) => {
      throw new Error(`the bundle does not load: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    },
  );
  bundles.set(bundlePath, loading);
  return loading;
}

async function describe(bundlePath: string): Promise<void> {
  try {
    const { name, graph, triggers, policy = {}, files = [] } = await load(bundlePath);
    say({ type: 'described', name, graph, triggers, policy, files });
  } catch (error) {
    say({ type: 'undescribed', message: describeError(error).message });
  }
}

interface Inputs {
  readonly artifacts: Readonly<Record<string, unknown>>;
  readonly branches: Record<string, Readonly<Record<string, unknown>>>;
}

function inputsOf(work: RunStep): Inputs {
  const branches: Record<string, Readonly<Record<string, unknown>>> = {};
  let artifacts: Readonly<Record<string, unknown>> = {};
  for (const input of work.inputs) {
    if (input.branch === '') artifacts = lazily(input.artifacts);
    else branches[input.branch] = lazily(input.artifacts);
  }
  return { artifacts, branches };
}

/** Decoded when first used, once. */
function lazily(artifacts: readonly EncodedArtifact[]): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = {};
  for (const { name, codec, bytes, path } of artifacts) {
    Object.defineProperty(object, name, {
      enumerable: true,
      configurable: true,
      get: () => {
        const value = decodeArtifact(codec, bytes ?? readFileSync(path ?? ''));
        Object.defineProperty(object, name, { enumerable: true, configurable: true, writable: true, value });
        return value;
      },
    });
  }
  return object;
}

function leave(name: string, codec: string, bytes: Uint8Array, directory: string): EncodedArtifact {
  if (bytes.length <= inlineBytesMax) return { name, codec, bytes };
  const path = join(directory, randomBytes(12).toString('hex'));
  const file = openSync(path, 'wx');
  try {
    writeFileSync(file, bytes);
  } finally {
    closeSync(file);
  }
  return { name, codec, path };
}

function describeError(error: unknown): { readonly message: string; readonly stack: string } {
  if (error instanceof Error)
    return { message: error.message.slice(0, 4_000), stack: (error.stack ?? '').slice(0, 16_000) };
  return { message: `the step threw ${String(error).slice(0, 4_000)}`, stack: '' };
}

/** Something of the user's broke outside of the awaited call: the step failed, and this process cannot be trusted any more. */
function spoil(error: unknown): void {
  const number = current?.number ?? 0;
  process.send?.(
    {
      type: 'failed',
      number,
      kind: 'user',
      ...describeError(error),
      logged: log.end(),
      spoiled: true,
    } satisfies FromChild,
    () => process.exit(1),
  );
}

function say(message: FromChild): void {
  process.send?.(message);
}

/** This process leads its group: whatever user code has started goes too. */
function endAll(): void {
  process.kill(-process.pid, 'SIGKILL');
}
