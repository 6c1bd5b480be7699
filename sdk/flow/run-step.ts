import type { ModelRegistration, StepCall, StepResult } from '../../runtime/ports/flow-code.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { aliasProblem, modelProblem } from '../../schemas/codec/model-names.ts';
import { TrackingOfStep } from '../tracking/step-tracking.ts';
import { artifactsOf } from './artifacts.ts';
import { StepCards } from './cards.ts';
import { checkpointsOf } from './checkpoints.ts';
import { StepTags } from './tags.ts';
import { Merged, mergeOf, type MergeOptions, passedDown } from './merge.ts';
import { ProgramToRun } from './program.ts';
import type { ProgramContext } from './program-types.ts';
import type { NewModelVersion, RunEnd, StepContext } from './types.ts';

/** Any step as it is called: artifacts (or inputs of a join) and context. */
export type StepFunction = (input: never, context: never) => unknown;

/** What a step of the graph runs. */
export interface UserCode {
  readonly kind: 'step' | 'join' | 'foreach' | 'switch' | 'hook';
  readonly run: StepFunction;
  /** Keys of a switch. */
  readonly cases: readonly string[];
  readonly deciding?: Deciding;
}

/** Whether there is another round, by what has been added. */
export interface Deciding {
  readonly until: ((artifacts: never) => boolean | Promise<boolean>) | undefined;
  readonly while: ((artifacts: never) => boolean | Promise<boolean>) | undefined;
}

/** A step that would fail the same way again: it is not retried. */
class FinalError extends MillraceError {
  readonly retry = false;
}

/** Calls the user's function and checks what it answers. */
export async function runStep(code: UserCode, call: StepCall): Promise<StepResult> {
  const models: ModelRegistration[] = [];
  const tags = new StepTags(call.step);
  const cards = new StepCards((name, document) => call.card?.(name, document));
  const tracked = new TrackingOfStep(call.runId);
  const context = contextOf(code, call, { models, tags, cards, tracked });
  let answer: unknown;
  try {
    answer = await code.run(inputOf(code, call) as never, context as never);
  } catch (error) {
    cards.end({ error });
    throw error;
  } finally {
    await tracked.end();
  }
  cards.end();
  const asked = { models, tags: tags.asked };
  switch (code.kind) {
    case 'foreach':
      return { artifacts: {}, passed: {}, ...asked, items: itemsOf(call.step, answer) };
    case 'switch':
      return { artifacts: {}, passed: {}, ...asked, choice: choiceOf(call.step, answer, code.cases) };
    case 'hook':
      return { artifacts: {}, passed: {}, models: [] };
    default: {
      if (answer instanceof ProgramToRun) return { artifacts: {}, passed: {}, ...asked, program: answer.program };
      const merged = mergeOf(answer);
      const artifacts = artifactsOf(call.step, merged === undefined ? answer : merged.own);
      const passed = merged === undefined ? {} : passedDown(call, artifacts, merged.options);
      const again =
        code.deciding !== undefined &&
        (await decide(code.deciding, over(code.kind === 'join' ? {} : call.artifacts, artifacts)));
      return { artifacts, passed, ...asked, again };
    }
  }
}

/** One over the other, without reading a value: those of artifacts are decoded when they are used. */
function over(under: object, upper: object): object {
  const both = Object.defineProperties({}, Object.getOwnPropertyDescriptors(under));
  return Object.defineProperties(both, Object.getOwnPropertyDescriptors(upper));
}

async function decide({ until, while: goesOn }: Deciding, artifacts: object): Promise<boolean> {
  if (until !== undefined && (await until(artifacts as never))) return false;
  return goesOn === undefined || (await goesOn(artifacts as never));
}

function inputOf({ kind }: UserCode, call: StepCall): object {
  if (kind === 'hook') return endOf(call);
  const item = itemOf(call);
  if (kind !== 'join') return item === undefined ? call.artifacts : over(call.artifacts, item);
  const branches: Record<string, unknown> = {};
  for (const { branch, artifacts } of call.inputs) if (!/^\d/.test(branch)) branches[branch] = artifacts;
  const joined = { ...branches, inputs: call.inputs.map(({ artifacts }) => artifacts) };
  return item === undefined ? joined : over(joined, item);
}

/** The item of the innermost foreach, decoded only when it is used. */
function itemOf({ stack }: StepCall): object | undefined {
  const frame = stack.findLast(({ kind }) => kind === 'foreach');
  if (frame === undefined) return undefined;
  return Object.defineProperty({}, 'item', { enumerable: true, configurable: true, get: () => frame.item });
}

function endOf({ runId, end = {} }: StepCall): RunEnd {
  const { flow, status, step, kind, message } = end as unknown as RunEnd;
  return { runId, flow, status, step, kind, message };
}

interface Asked {
  readonly models: ModelRegistration[];
  readonly tags: StepTags;
  readonly cards: StepCards;
  readonly tracked: TrackingOfStep;
}

function contextOf({ kind }: UserCode, call: StepCall, { models, tags, cards, tracked }: Asked): StepContext {
  const { parameters, configuration, runId, taskId, attempt, idempotencyKey, stack, gang, signal } = call;
  const context: ProgramContext<Readonly<Record<string, unknown>>> = {
    parameters,
    configuration,
    runId,
    taskId,
    attempt,
    idempotencyKey,
    index: stack.at(-1)?.index ?? -1,
    stack: stack.map((frame) => ({
      point: frame.point,
      kind: frame.kind,
      index: frame.index,
      size: frame.size < 0 ? undefined : frame.size,
      get item() {
        return frame.item;
      },
    })),
    signal,
    folder: call.folder,
    models: { register: (model, version) => void models.push(registration(call.step, model, version)) },
    tags,
    checkpoint: checkpointsOf(call.step, call.checkpoints),
    cards,
    get tracking() {
      return tracked.tracking;
    },
    log: (message, facts) => console.log(facts === undefined ? message : `${message} ${JSON.stringify(facts)}`),
  };
  if (gang !== undefined) return Object.assign(context, { gang });
  if (kind !== 'join') return context;
  return Object.assign(context, {
    before: call.artifacts,
    merge: (own: object = {}, options: MergeOptions = {}) => new Merged(own, options),
  });
}

function itemsOf(step: string, answer: unknown): Iterable<unknown> | AsyncIterable<unknown> {
  const iterable = answer as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined;
  if (typeof iterable === 'object' && iterable !== null) {
    if (typeof iterable[Symbol.iterator] === 'function') return iterable as Iterable<unknown>;
    if (typeof iterable[Symbol.asyncIterator] === 'function') return iterable as AsyncIterable<unknown>;
  }
  if (typeof answer === 'string') return answer;
  throw final(
    `foreach '${step}' answered ${answer === null ? 'null' : `a ${typeof answer}`}: answer a list or another iterable`,
  );
}

function choiceOf(step: string, answer: unknown, cases: readonly string[]): string {
  const choice = String(answer);
  if (
    (typeof answer === 'string' || typeof answer === 'number' || typeof answer === 'boolean') &&
    cases.includes(choice)
  )
    return choice;
  const got = typeof answer === 'object' ? JSON.stringify(answer) : `'${choice}'`;
  throw final(
    `switch '${step}' answered ${(got ?? '').slice(0, 80)}; its cases are ${cases.map((key) => `'${key}'`).join(', ')}: add one, or answer one of these`,
  );
}

function registration(step: string, model: string, version: NewModelVersion): ModelRegistration {
  const refuse = (what: string): MillraceError => final(`step '${step}' registers model '${model}': ${what}`);
  if (!(version.onnx instanceof Uint8Array) || version.onnx.length === 0)
    throw refuse('onnx must be the bytes of an ONNX file (Uint8Array)');
  for (const [name, value] of Object.entries(version.metrics ?? {})) {
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw refuse(`metric '${name}' must be a finite number, got ${String(value)}`);
  }
  for (const [name, value] of Object.entries(version.tags ?? {})) {
    if (typeof value !== 'string') throw refuse(`tag '${name}' must be a text, got ${typeof value}`);
  }
  for (const [name, value] of Object.entries(version.attached ?? {})) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) || typeof value !== 'object' || value === null)
      throw refuse(`attached '${name.slice(0, 70)}' must be an object, under a name of letters, digits and ._-`);
  }
  const { onnx, metrics = {}, tags = {}, attached = {}, alias = null, description = '' } = version;
  const wrong = modelProblem(model) ?? (alias === null ? undefined : aliasProblem(alias));
  if (wrong !== undefined) throw refuse(wrong);
  return { model, onnx, metrics, tags, attached, alias, description };
}

function final(message: string): FinalError {
  return new FinalError('INVALID_ARGUMENT', message);
}
