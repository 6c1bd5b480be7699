import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { BlobStore } from '../../runtime/ports/blob-store.ts';
import type { ArtifactRef, TaskOutcome, TaskWork } from '../../runtime/ports/task-executor.ts';
import { decodeArtifact, encodeArtifact } from '../../schemas/codec/artifact-value.ts';
import { parseLogLine } from '../../schemas/codec/log-line.ts';
import { type FlowGraph, isTask } from '../../schemas/flow-graph.ts';
import { resolveParameters } from '../../schemas/flow-parameters.ts';
import { stepOfTask } from '../../schemas/task-id.ts';
import type { Client } from '../../sdk/client/index.ts';
import { looseValue, namedValues, taskTarget } from '../arguments.ts';
import { type CommandModule, optionsOf, print, repeatable, say } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { onInterrupt } from '../interrupt.ts';
import { existingFile } from '../load-file.ts';
import { SpinBlobs } from '../run/spin-blobs.ts';
import { shownLine } from '../run/run-views.ts';
import { type GlobalOptions, withPlatform } from '../session.ts';
import { shownValue } from '../ui/shown-value.ts';
import { bold, dim, green, red } from '../ui/style.ts';
import { duration, table } from '../ui/table.ts';

interface SpinOptions {
  readonly param: readonly string[];
  readonly artifact: readonly string[];
  readonly out?: string;
}

/** Runs one step of a past run again on this machine. Nothing of it is on the log: no run, no artifacts, no models. */
export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<run>/<task>', 'whose inputs it gets')
      .argument('[file]', 'a file with the changed flow (default: the code of the run)')
      .option('-P, --param <name=value>', 'instead of the parameter of the run (repeatable)', repeatable, [])
      .option('--artifact <name=value>', 'JSON instead of the artifact that it got (repeatable)', repeatable, [])
      .option('--out <folder>', 'write what it returns there')
      .action(async (target: string, file: string | undefined) => {
        const options = optionsOf<SpinOptions>(cmd);
        const { runId, of: taskId } = taskTarget(target);
        if (taskId === undefined)
          throw new MillraceError('INVALID_ARGUMENT', 'which task? millrace spin <run>/<task> [file]');
        await withPlatform(options, async ({ client, configuration }) => {
          const directory = await mkdtemp(join(tmpdir(), 'millrace-spin-'));
          try {
            const places = { directory, environments: join(configuration.directory, 'environments') };
            await spin(client, { runId, taskId, file, options, ...places });
          } finally {
            await rm(directory, { recursive: true, force: true });
          }
        });
      }),
};

interface ToSpin {
  readonly runId: string;
  readonly taskId: string;
  readonly file: string | undefined;
  readonly options: GlobalOptions & SpinOptions;
  readonly directory: string;
  /** Python environments that exist already. */
  readonly environments: string;
}

async function spin(client: Client, toSpin: ToSpin): Promise<void> {
  const { runId, taskId, options, directory, environments } = toSpin;
  const past = await client.runs.work(runId, taskId);
  const { openDirectoryBlobStore } = await import('../../runtime/adapters/blobs/directory-blob-store.ts');
  const { createProcessExecutor } = await import('../../runtime/adapters/process-executor/process-executor.ts');
  const own = await openDirectoryBlobStore({ directory: join(directory, 'blobs'), durability: 'process' });
  const blobs = new SpinBlobs(own, (hash) => client.runs.workBlob(runId, taskId, hash));
  const work = await changedWork(past, toSpin, blobs);
  const executor = await createProcessExecutor({
    blobs,
    cacheDirectory: join(directory, 'steps'),
    environmentsDirectory: environments,
    slots: 1,
  });
  const startedMs = performance.now();
  let outcome: TaskOutcome;
  try {
    const handle = executor.start(work, {
      line: (kept) => {
        const { timeMs, stream, text } = parseLogLine(kept);
        const line = { taskId, step: stepOfTask(taskId), attempt: 1, line: 0, stream, at: timeMs, text };
        if (options.json !== true && stream !== 'trace') say(shownLine(runId, line));
      },
      card: () => undefined,
      checkpoint: () => Promise.resolve(),
    });
    const giveBack = onInterrupt(() => {
      process.exitCode = exitCode.interrupted;
      handle.cancel('Ctrl-C');
    });
    try {
      outcome = await handle.outcome;
    } finally {
      giveBack();
    }
  } finally {
    await executor.close();
  }
  await tell(client, toSpin, outcome, { blobs, tookMs: performance.now() - startedMs });
  await blobs.close();
}

/** What the task worked on, with what is to differ. Outside systems see another idempotency key: it is no attempt of that task. */
async function changedWork(past: TaskWork, toSpin: ToSpin, blobs: BlobStore): Promise<TaskWork> {
  const { file, options, runId, taskId } = toSpin;
  const { flow, bundle } = await codeOf(past, file, blobs);
  const step = flow?.steps.find(({ name }) => name === past.step);
  if (flow !== undefined && (step === undefined || !isTask(step) || step.kind !== past.kind))
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${file} has no ${past.kind} '${past.step}': its tasks are ${flow.steps
        .filter(isTask)
        .map(({ name }) => name)
        .join(', ')}`,
    );
  const given = namedValues('-P', options.param);
  const before = JSON.parse(past.parameters) as Readonly<Record<string, unknown>>;
  const changed = { ...before, ...given };
  const resolved =
    flow === undefined
      ? { values: changed, problems: undefined }
      : resolveParameters(flow.parameters, known(flow, changed));
  if (resolved.problems !== undefined) throw new MillraceError('INVALID_ARGUMENT', resolved.problems.join('; '));
  const values: Record<string, unknown> = { ...resolved.values };
  if (flow === undefined) for (const [name, text] of Object.entries(given)) values[name] = looseValue(text);
  const own = step !== undefined && isTask(step) ? { timeoutMs: step.timeoutMs, settings: settingsOf(past, step) } : {};
  const replaced = Object.entries(namedValues('--artifact', options.artifact)).map(([name, text]): ArtifactRef => {
    const { codec, bytes } = encodeArtifact(name, looseValue(text));
    return { name, codec, hash: '0'.repeat(64), sizeBytes: bytes.length, inline: Buffer.from(bytes) };
  });
  const names = new Set(replaced.map(({ name }) => name));
  const inputs = past.inputs.map(({ branch, artifacts }, place) =>
    place === 0
      ? { branch, artifacts: [...artifacts.filter(({ name }) => !names.has(name)), ...replaced] }
      : { branch, artifacts },
  );
  return {
    ...past,
    ...own,
    inputs,
    bundleHash: bundle,
    parameters: JSON.stringify(values),
    attempt: 1,
    idempotencyKey: `spin.${runId}.${taskId}.${process.pid}.${Date.now()}`,
    checkpoints: [],
  };
}

async function codeOf(
  { bundleHash }: TaskWork,
  file: string | undefined,
  blobs: BlobStore,
): Promise<{ readonly flow: FlowGraph | undefined; readonly bundle: string }> {
  if (file === undefined) return { flow: undefined, bundle: bundleHash };
  const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
  const { code, graph } = await bundleFlow(existingFile(file));
  return { flow: graph as FlowGraph, bundle: (await blobs.put(code)).hash };
}

/** How the changed step is to run; what only the fold knows stays. */
function settingsOf({ settings = '{}' }: TaskWork, step: object): string {
  const { resources, environment, secrets } = step as Readonly<Record<string, unknown>>;
  return JSON.stringify({ ...(JSON.parse(settings) as object), resources, environment, secrets });
}

/** Parameters that the changed flow has no more are left out. */
function known(
  { parameters }: FlowGraph,
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(parameters, name)));
}

interface Told {
  readonly name: string;
  readonly codec: string;
  readonly sizeBytes: number;
  readonly hash: string;
  /** same, differs or new, against what the past task wrote. */
  readonly past: string;
  readonly value: string;
}

async function tell(
  client: Client,
  { runId, taskId, options }: ToSpin,
  outcome: TaskOutcome,
  { blobs, tookMs }: { readonly blobs: BlobStore; readonly tookMs: number },
): Promise<void> {
  if (outcome.type === 'failed') {
    process.exitCode ??= exitCode.failure;
    const { kind, message, stack } = outcome;
    if (options.json === true) print(JSON.stringify({ outcome: 'failed', kind, message, stack }, null, 2));
    else print(`${red('✘')} ${bold(taskId)} ${red(kind)}: ${message}${stack === '' ? '' : `\n${dim(stack)}`}`);
    return;
  }
  const { tasks } = await client.runs.show(runId);
  const before = new Map(tasks.find((task) => task.taskId === taskId)?.artifacts.map(({ name, hash }) => [name, hash]));
  const rows = await Promise.all(
    outcome.artifacts.map(async (artifact): Promise<Told> => {
      const { name, codec, sizeBytes, hash, inline = null } = artifact;
      const bytes = inline ?? (await blobs.get(hash));
      if (options.out !== undefined) await write(options.out, name, codec, bytes);
      const known = before.get(name);
      const past = known === undefined ? 'new' : known === hash ? 'same' : 'differs';
      return { name, codec, sizeBytes, hash, past, value: shortValue(codec, bytes) };
    }),
  );
  const { choice, again, split, requests } = outcome;
  if (options.json === true) {
    const facts = { choice, again, items: split?.size, asked: requests.map(({ kind }) => kind) };
    print(JSON.stringify({ outcome: 'completed', artifacts: rows, ...facts }, null, 2));
    return;
  }
  const lines = [`${green('✔')} ${bold(taskId)} ${dim(`spun in ${duration(tookMs)}: nothing of it is kept`)}`];
  if (choice !== undefined) lines.push(`chose case '${choice}'`);
  if (split !== undefined) lines.push(`${split.size} items`);
  for (const { kind } of requests) lines.push(dim(`it asked for ${kind}: that is not done`));
  if (rows.length > 0)
    lines.push(
      table(rows, [
        { title: 'ARTIFACT', value: ({ name }) => name },
        { title: 'BYTES', value: ({ sizeBytes }) => sizeBytes, align: 'right' },
        { title: 'PAST', value: ({ past }) => past },
        { title: 'VALUE', value: ({ value }) => value },
      ]),
    );
  print(lines.join('\n'));
}

async function write(folder: string, name: string, codec: string, bytes: Uint8Array): Promise<void> {
  const endings: Readonly<Record<string, string>> = {
    json: '.json',
    text: '.txt',
    npy: '.npy',
    arrow: '.arrow',
    onnx: '.onnx',
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}${endings[codec] ?? '.bin'}`), bytes);
}

function shortValue(codec: string, bytes: Uint8Array): string {
  if (codec !== 'json' && codec !== 'text') return `${codec}, ${bytes.length} bytes`;
  const value = decodeArtifact(codec, bytes);
  const text = codec === 'text' ? String(value) : JSON.stringify(shownValue(value));
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
