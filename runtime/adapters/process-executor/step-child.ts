/**
 * The process in which steps run: one at a time, many over its life. It ends when its parent is gone, whatever user code is doing.
 */
import { openSync, writeFileSync, closeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import { type FlowCode, isFlowCode, type StepCall, type StepProgram, type StepResult } from '../../ports/flow-code.ts';
import { describeThrown, type Thrown } from '../../ports/thrown.ts';
import { ChildCheckpoints } from './child-checkpoints.ts';
import { childInputs, itemArtifact } from './child-inputs.ts';
import { captureLog } from './child-log.ts';
import { withContents } from './file-parameters.ts';
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
import { splitItems } from './split-items.ts';
import { startWatchdog } from './watchdog.ts';

const bundles = new Map<string, Promise<FlowCode>>();
const log = captureLog();
let current:
  | { readonly number: number; readonly abort: AbortController; readonly checkpoints: ChildCheckpoints }
  | undefined;

process.on('message', (message) => void take(message as ToChild));
process.on('disconnect', () => endAll());
process.on('uncaughtException', (error) => spoil(error));
process.on('unhandledRejection', (reason) => spoil(reason));
// stack traces name files of the user
process.setSourceMapsEnabled(true);
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
    case 'checkpointed':
      if (current?.number === message.number) current.checkpoints.answered(message.id, message.problem);
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
  const { number, outDirectory } = work;
  const checkpoints = new ChildCheckpoints(
    work.checkpoints,
    outDirectory,
    (name, codec, bytes) => leave(name, codec, bytes, outDirectory),
    (id, artifact) => say({ type: 'checkpoint', number, id, artifact }),
  );
  current = { number, abort, checkpoints };
  log.begin();
  const restore = setEnvironment(work.environment);
  try {
    const flow = await load(work.bundlePath);
    const { reference, read, handedOver, ...inputs } = childInputs(work);
    const began = performance.now();
    const { step, runId, taskId, attempt, idempotencyKey, gang, end } = work;
    const call: StepCall = {
      ...inputs,
      step,
      parameters: withContents(JSON.parse(work.parameters) as Record<string, unknown>, work.files),
      configuration: JSON.parse(work.configuration) as Readonly<Record<string, unknown>>,
      runId,
      taskId,
      attempt,
      idempotencyKey,
      gang,
      end,
      signal: abort.signal,
      card: (name, document) => say({ type: 'card', number: work.number, name, document }),
      checkpoints,
      folder: programFolder(work.attemptDirectory),
    };
    const result = await flow.runStep(call);
    if (result.program !== undefined) handedOver(result.program.takes);
    const left =
      result.program === undefined ? leaveAll(result, work.outDirectory) : await runApart(result.program, call, work);
    const split =
      result.items === undefined
        ? undefined
        : await splitItems(step, result.items, work, (bytes) => leave('pack', 'pack', bytes, work.outDirectory));
    const userMs = performance.now() - began;
    const passed = Object.entries(result.passed).map(([name, input]) => {
      const ref = reference(name, input);
      if (ref === undefined) throw new Error(`'${name}' is to be passed down from input ${input}, which has none`);
      return ref;
    });
    const spoiled = result.program !== undefined && leftRunning();
    const { choice, again = false, tags } = result;
    const answer = { ...left, tags, inputs: read(), passed, split, choice, again, userMs };
    say({ type: 'completed', number: work.number, ...answer, logged: log.end(), spoiled });
  } catch (error) {
    // a program that failed may have left others running
    const spoiled = error instanceof ProgramFailure && leftRunning();
    const kind = error instanceof ProgramFailure ? error.kind : 'user';
    say({ type: 'failed', number: work.number, kind, ...describeError(error), logged: log.end(), spoiled });
  } finally {
    restore();
    current = undefined;
    environmentReady = undefined;
  }
}

type Left = Pick<ProgramOutputs, 'artifacts' | 'models'> & Partial<Pick<ProgramOutputs, 'values'>>;

function leaveAll(result: StepResult, directory: string): Left {
  const artifacts = Object.entries(result.artifacts).map(([name, value]) => {
    const { codec, bytes } = encodeArtifact(name, value);
    return leave(name, codec, bytes, directory);
  });
  const models = result.models.map(({ onnx, attached = {}, ...model }) => ({
    ...model,
    attached: Object.entries(attached).map(([name, value]) =>
      leave(name, 'json', Buffer.from(JSON.stringify(value)), directory),
    ),
    artifact: leave('onnx', 'onnx', onnx, directory),
  }));
  return { artifacts, models };
}

/** Runs a program for the step; its code is loaded only when there is one. */
async function runApart(program: StepProgram, call: StepCall, work: RunStep): Promise<Left> {
  const { runProgram } = await import('./program/run-program.ts');
  const { python } = program;
  const ready = new Promise<Readonly<Record<string, string>>>((resolve) => {
    environmentReady = resolve;
  });
  say({ type: 'program', number: work.number, python });
  const environment = python === undefined ? {} : await ready;
  watchdog.watchGroup(true);
  try {
    const { artifacts, models, values } = await runProgram({
      flow: work.flow,
      call,
      program,
      artifacts: [...(work.inputs.find(({ branch }) => branch === '')?.artifacts ?? []), ...itemArtifact(work.stack)],
      bundleFiles: bundleFolder(work.bundlePath),
      directory: work.attemptDirectory,
      handover: work.outDirectory,
      files: work.files,
      environment,
    });
    return { artifacts, models, values };
  } finally {
    watchdog.watchGroup(false);
  }
}

/** Whether something of a program still runs; where the machine does not say, it may. */
function leftRunning(): boolean {
  return groupMembers(process.pid)?.length !== 0;
}

/** Sets variables for one step; answers what takes them back, since the process goes on with others. */
function setEnvironment(variables: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  };
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

function describeError(error: unknown): Thrown & { readonly final: boolean } {
  const final = typeof error === 'object' && error !== null && (error as { retry?: unknown }).retry === false;
  // its stack is what the program said last
  if (error instanceof ProgramFailure)
    return { message: error.message.slice(0, 4_000), stack: (error.stack ?? '').slice(0, 16_000), trace: '', final };
  return { ...describeThrown(error), final };
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
