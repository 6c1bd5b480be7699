/** Checkpoints: what a step saves while it runs, so that its next attempt goes on from there. */
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { StepCheckpoints } from '../../runtime/ports/flow-code.ts';
import { isCheckpointName } from '../../schemas/codec/checkpoint-name.ts';

/**
 * Saved under names, the newest of each counts; `checkpoint` by default. They are there for the next attempt, also when the worker was
 * killed and when the run is resumed, and go when the step ends well, unless the step says `keepCheckpoints`.
 */
export interface Checkpoints {
  /** The value that an earlier attempt saved last; undefined: none. */
  load<T = unknown>(name?: string): T | undefined;
  /** Path of a file with what an earlier attempt saved last, not to be changed; undefined: none. */
  loadFile(name?: string): string | undefined;
  /** Resolves once it survives this attempt. Any value that may be an artifact. */
  save(value: unknown, name?: string): Promise<void>;
  /** The same of a file, however big; it may change again once this has resolved. */
  saveFile(path: string, name?: string): Promise<void>;
}

const ownName = 'checkpoint';

/** What the user's function gets; bad names are refused before anything is saved. */
export function checkpointsOf(step: string, kept: StepCheckpoints | undefined): Checkpoints {
  const named = (name: string): string => {
    if (isCheckpointName(name)) return name;
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `step '${step}': a checkpoint is named by letters, digits, '.', '_', '-' and '/', 200 at most, got '${name.slice(0, 80)}'`,
    );
  };
  const keeper = (): StepCheckpoints => {
    if (kept !== undefined) return kept;
    throw new MillraceError('UNSUPPORTED', `step '${step}' runs where nobody keeps checkpoints`);
  };
  return {
    load: <T>(name = ownName) => kept?.load(named(name)) as T | undefined,
    loadFile: (name = ownName) => kept?.file(named(name)),
    save: async (value, name = ownName) => await keeper().save(named(name), value),
    saveFile: async (path, name = ownName) => await keeper().saveFile(named(name), path),
  };
}
