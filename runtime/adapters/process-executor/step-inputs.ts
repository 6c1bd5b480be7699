import type { TaskWork } from '../../ports/task-executor.ts';
import type { PackedResults } from './child-inputs.ts';
import type { RunStep } from './protocol.ts';
import type { Lease, StepFiles } from './step-files.ts';

export type StepInputs = Pick<RunStep, 'inputs' | 'packs' | 'stack' | 'checkpoints'>;

/** Blobs that are fetched at once. */
const atOnce = 16;

/** Brings everything that a step may read to this machine, so that it can read it without waiting. */
export async function stepInputs(work: TaskWork, files: StepFiles, lease: Lease): Promise<StepInputs> {
  const [inputs, packs, stack, checkpoints] = await Promise.all([
    inTurn(work.inputs, async ({ branch, artifacts }) => ({
      branch,
      artifacts: await inTurn(artifacts, (artifact) => files.input(artifact, lease)),
    })),
    inTurn(work.packs ?? [], ({ hash }) => packOf(hash, files, lease)),
    stackOf(work, files, lease),
    inTurn(work.checkpoints ?? [], (checkpoint) => files.input(checkpoint, lease)),
  ]);
  return { inputs, packs, stack, checkpoints };
}

/** A pack of results as a file, and the artifacts that it names as files. */
async function packOf(hash: string, files: StepFiles, lease: Lease): Promise<string> {
  const content = await files.bytes(hash);
  const results = JSON.parse(content.toString('utf8')) as PackedResults;
  const elsewhere = results.flat().filter(({ inline }) => inline === undefined);
  await inTurn(elsewhere, (artifact) => files.file(artifact.hash, artifact.sizeBytes, lease));
  return await files.file(hash, content.length, lease);
}

async function stackOf(
  { frames = [], items = [] }: TaskWork,
  files: StepFiles,
  lease: Lease,
): Promise<RunStep['stack']> {
  let next = 0;
  return await Promise.all(
    frames.map(async (frame) => {
      const item = frame.kind === 'foreach' ? items[next++] : undefined;
      return { ...frame, item: item === undefined ? undefined : await files.item(item.pack, item.at, lease) };
    }),
  );
}

/** In order, few at once. */
async function inTurn<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let from = 0; from < values.length; from += atOnce)
    done.push(...(await Promise.all(values.slice(from, from + atOnce).map(work))));
  return done;
}
