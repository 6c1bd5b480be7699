/**
 * The process in which steps run: one at a time, many over its life. It ends when its parent is gone, whatever user code is doing.
 */
import { openSync, readFileSync, writeFileSync, closeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decodeArtifact, encodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import { type FlowCode, isFlowCode } from '../../ports/flow-code.ts';
import { captureLog } from './child-log.ts';
import { type EncodedArtifact, type FromChild, inlineBytesMax, type RunStep, type ToChild } from './protocol.ts';
import { startWatchdog } from './watchdog.ts';

const bundles = new Map<string, Promise<FlowCode>>();
const log = captureLog();
let current: { readonly number: number; readonly abort: AbortController } | undefined;

process.on('message', (message) => void take(message as ToChild));
process.on('disconnect', () => endAll());
process.on('uncaughtException', (error) => spoil(error));
process.on('unhandledRejection', (reason) => spoil(reason));
startWatchdog(Number(process.argv[2] ?? '0'));
say({ type: 'ready' });

async function take(message: ToChild): Promise<void> {
  switch (message.type) {
    case 'run':
      await run(message);
      return;
    case 'abort':
      if (current?.number === message.number) current.abort.abort(new Error('the step is to stop'));
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
    };
    const result = await flow.runStep(call);
    const userMs = performance.now() - began;
    const written = Object.entries(result.artifacts).map(([name, value]) => {
      const { codec, bytes } = encodeArtifact(name, value);
      return leave(name, codec, bytes, work.outDirectory);
    });
    const models = result.models.map(({ onnx, ...model }) => ({
      ...model,
      artifact: leave('onnx', 'onnx', onnx, work.outDirectory),
    }));
    say({ type: 'completed', number: work.number, artifacts: written, models, userMs, logged: log.end() });
  } catch (error) {
    say({ type: 'failed', number: work.number, ...describeError(error), logged: log.end(), spoiled: false });
  } finally {
    current = undefined;
  }
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
    const { name, graph, triggers, policy = {} } = await load(bundlePath);
    say({ type: 'described', name, graph, triggers, policy });
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
    { type: 'failed', number, ...describeError(error), logged: log.end(), spoiled: true } satisfies FromChild,
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
