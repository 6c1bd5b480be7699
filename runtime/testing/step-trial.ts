/**
 * One step tried in the process of a test, with the artifacts that it is given: no platform, no log, no other process, so that a breakpoint
 * stops there. Values go through the codecs of artifacts on their way in and out, so what could not be stored fails here too.
 *
 * @example
 * const trial = await tryStep(diamonds, 'train.linear', { artifacts: { rows }, parameters: { seed: 7 } });
 * expect(trial.artifacts).toMatchObject({ error: expect.any(Number) });
 */
import { hash } from 'node:crypto';
import type { FlowCode, ModelRegistration, StepCall, StepInput } from '../ports/flow-code.ts';
import { MillraceError } from '../ports/errors.ts';
import { decodeArtifact, encodeArtifact } from '../../schemas/codec/artifact-value.ts';
import { type FlowGraph, isTask } from '../../schemas/flow-graph.ts';
import { resolveParameters } from '../../schemas/flow-parameters.ts';

type Values = Readonly<Record<string, unknown>>;

export interface StepTrialOptions {
  /** What the step sees; of a join: what was there before it. @default none */
  readonly artifacts?: Values;
  /** Of a join: what each branch added, by its name, or each item or rank in order. */
  readonly inputs?: readonly Values[] | Readonly<Record<string, Values>>;
  /** As a command line would give them; a parameter of type file is its content. @default those of the flow */
  readonly parameters?: Values;
  /** @default that of the flow's files and defaults */
  readonly configuration?: Values;
  /** Of the innermost foreach. */
  readonly item?: unknown;
  /** Place in the innermost foreach, repeat or gang. @default 0 */
  readonly index?: number;
  /** Of a gang's step: rank and size; the address is that of a port that nobody listens on. */
  readonly gang?: { readonly rank: number; readonly size: number; readonly address?: string };
  /** What an earlier attempt saved, by name. @default none */
  readonly checkpoints?: Values;
  /** @default 1 */
  readonly attempt?: number;
  /** Of an exit hook (`-success`, `-error`): how the run ended. */
  readonly end?: Values;
  /** @default never aborts */
  readonly signal?: AbortSignal;
}

export interface StepTrial {
  /** What it returned, what it passed down included. */
  readonly artifacts: Values;
  /** What it asked to register. */
  readonly models: readonly ModelRegistration[];
  /** Tags of the run that it asked to add and remove. */
  readonly tags: { readonly add: readonly string[]; readonly remove: readonly string[] };
  /** Of a foreach. */
  readonly items: readonly unknown[] | undefined;
  /** Of a switch: the key of the case. */
  readonly choice: string | undefined;
  /** Of the last step of a round: another one is wanted. */
  readonly again: boolean;
  /** What it saved last, by name. */
  readonly checkpoints: Values;
  /** Documents of its cards, by name. */
  readonly cards: Values;
}

/**
 * Runs the user code of one step, named as in the graph (`train.linear`, `-success`). Rejects with what it threw; INVALID_ARGUMENT when
 * there is no such step, when a parameter is wrong or a value cannot be an artifact; UNSUPPORTED for a step that is a program.
 */
export async function tryStep(flow: unknown, step: string, options: StepTrialOptions = {}): Promise<StepTrial> {
  const code = flow as FlowCode;
  const graph = code.graph as FlowGraph;
  checkStep(graph, step);
  const saved = new Map(Object.entries(options.checkpoints ?? {}).map(([name, value]) => [name, stored(name, value)]));
  const cards = new Map<string, unknown>();
  const before = kept(options.artifacts ?? {});
  const inputs = inputsOf(options.inputs);
  const save = (name: string, value: unknown): Promise<void> => {
    saved.set(name, stored(name, value));
    return Promise.resolve();
  };
  const call: StepCall = {
    step,
    artifacts: before.values,
    hashes: before.hashes,
    inputs,
    parameters: parametersOf(graph, options.parameters ?? {}),
    configuration: options.configuration ?? graph.configuration ?? {},
    runId: '0'.repeat(32),
    taskId: step,
    attempt: options.attempt ?? 1,
    idempotencyKey: `${'0'.repeat(32)}.${step}`,
    stack: stackOf(graph, step, options),
    gang: options.gang === undefined ? undefined : { address: '127.0.0.1:0', ...options.gang },
    end: options.end,
    signal: options.signal ?? new AbortController().signal,
    card: (name, document) => void cards.set(name, JSON.parse(document)),
    checkpoints: {
      names: [...saved.keys()],
      load: (name) => saved.get(name)?.value,
      file: () => undefined,
      save,
      saveFile: async (name, path) => {
        const { readFile } = await import('node:fs/promises');
        await save(name, new Uint8Array(await readFile(path)));
      },
    },
    folder: process.cwd(),
  };
  const result = await code.runStep(call);
  if (result.program !== undefined)
    throw new MillraceError(
      'UNSUPPORTED',
      `step '${step}' is a program: run it with \`millrace spin <run>/<task> <file>\`, or call the program itself`,
    );
  const passed = Object.entries(result.passed).map(([name, input]) => [
    name,
    (input < 0 ? before.values : inputs[input]?.artifacts)?.[name],
  ]);
  const items = result.items === undefined ? undefined : await listOf(step, result.items);
  const { models, choice, again = false, tags = { add: [], remove: [] } } = result;
  return {
    artifacts: { ...(Object.fromEntries(passed) as Values), ...kept(result.artifacts).values },
    models,
    tags,
    items,
    choice,
    again,
    checkpoints: Object.fromEntries([...saved].map(([name, { value }]) => [name, value])),
    cards: Object.fromEntries(cards),
  };
}

function checkStep(graph: FlowGraph, step: string): void {
  const names = graph.steps.filter(isTask).map(({ name }) => name);
  if (names.includes(step) || step === '-success' || step === '-error') return;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `flow '${graph.name}' has no step '${step}'; its steps are ${names.join(', ')}`,
  );
}

/** Content of files is given as it is. */
function parametersOf(graph: FlowGraph, given: Values): Values {
  const isFile = (name: string): boolean => graph.parameters[name]?.type === 'file';
  const others = Object.fromEntries(Object.entries(given).filter(([name]) => !isFile(name)));
  const specs = Object.fromEntries(Object.entries(graph.parameters).filter(([name]) => !isFile(name)));
  const resolved = resolveParameters(specs, others);
  if (resolved.problems !== undefined) throw new MillraceError('INVALID_ARGUMENT', resolved.problems.join('; '));
  const files = Object.keys(graph.parameters).filter(isFile);
  return { ...resolved.values, ...Object.fromEntries(files.map((name) => [name, given[name] ?? null])) };
}

function inputsOf(inputs: StepTrialOptions['inputs'] = []): readonly StepInput[] {
  const named = Array.isArray(inputs)
    ? (inputs as readonly Values[]).map((values, place) => [String(place), values] as const)
    : Object.entries(inputs as Readonly<Record<string, Values>>);
  return named.map(([branch, values]) => {
    const { values: artifacts, hashes } = kept(values);
    return { branch, artifacts, hashes };
  });
}

/** Foreachs, repeats and gangs around the step: the innermost one with what the test says, the others at their beginning. */
function stackOf(graph: FlowGraph, step: string, { item, index = 0, gang }: StepTrialOptions): StepCall['stack'] {
  const frames: StepCall['stack'][number][] = [];
  let scope = graph.steps.find(({ name }) => name === step)?.scope ?? '';
  while (scope !== '') {
    const inner = scope;
    const owner = graph.steps.find(
      (point) =>
        ('body' in point && point.body === inner) ||
        ('branches' in point && point.branches.some((branch) => branch.scope === inner)) ||
        ('cases' in point && point.cases.some((one) => one.scope === inner)),
    );
    if (owner === undefined) break;
    if (owner.kind === 'foreach' || owner.kind === 'repeat' || owner.kind === 'gang') {
      const innermost = frames.length === 0;
      const size = owner.kind === 'repeat' ? -1 : owner.kind === 'gang' ? (gang?.size ?? 1) : index + 1;
      const place = innermost ? (gang?.rank ?? index) : 0;
      frames.unshift({ point: owner.name, kind: owner.kind, index: place, size, item: undefined });
    }
    scope = owner.scope;
  }
  const at = frames.findLastIndex(({ kind }) => kind === 'foreach');
  return frames.map((frame, place) => (place === at ? { ...frame, item: stored('item', item).value } : frame));
}

async function listOf(step: string, items: Iterable<unknown> | AsyncIterable<unknown>): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(stored(`${step}[${all.length}]`, item).value);
  return all;
}

function kept(values: Values): { readonly values: Values; readonly hashes: Readonly<Record<string, string>> } {
  const all = Object.entries(values).map(([name, value]) => [name, stored(name, value)] as const);
  return {
    values: Object.fromEntries(all.map(([name, { value }]) => [name, value])),
    hashes: Object.fromEntries(all.map(([name, { content }]) => [name, content])),
  };
}

/** As it comes back when it was stored, and what tells its content. */
function stored(name: string, value: unknown): { readonly value: unknown; readonly content: string } {
  const { codec, bytes } = encodeArtifact(name, value);
  return { value: decodeArtifact(codec, bytes), content: hash('sha256', bytes, 'hex') };
}
