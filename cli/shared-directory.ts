/** One directory, several commands: the first one opens it, the others talk to it. */
import { setTimeout as wait } from 'node:timers/promises';
import { readInstance } from '../runtime/adapters/directory-lock.ts';
import { MillraceError } from '../runtime/ports/errors.ts';
import type { Platform } from '../services/all-in-one/platform.ts';
import { say } from './command.ts';
import { onInterrupt } from './interrupt.ts';

const lookMs = 50;
/** A wait that is longer is told. */
const silentMs = 1_000;
/** A process that starts says so long after that it took the directory where it answers, on a busy machine. */
const startMs = 60_000;

/** Where the process answers that uses a directory, once it does; undefined when none uses it. LOCKED when it does not say where. */
export async function addressOf(directory: string, deadlineMs = startMs): Promise<string | undefined> {
  const beganMs = performance.now();
  for (let told = false; ; await wait(lookMs)) {
    const instance = readInstance(directory);
    if (instance === undefined || instance.url !== undefined) return instance?.url;
    const waitedMs = performance.now() - beganMs;
    if (waitedMs >= deadlineMs) {
      const reason = `process ${instance.pid} uses ${directory} and has not said within ${deadlineMs / 1_000} s where it answers`;
      throw new MillraceError('LOCKED', `${reason}. Stop it, or choose another directory.`);
    }
    if (!told && waitedMs >= silentMs) {
      told = true;
      say(`process ${instance.pid} begins to use ${directory}: waiting for it, at most ${deadlineMs / 1_000} s`);
    }
  }
}

/** Whoever follows a run here sees its end before the platform of this command goes; Ctrl-C ends the wait. */
export async function untilNobodyFollows({ followers }: Pick<Platform, 'followers'>): Promise<void> {
  const beganMs = performance.now();
  let left = false;
  let restore: (() => void) | undefined;
  for (; followers() > 0 && !left; await wait(lookMs)) {
    // its own streams are over a moment after it closed them
    if (restore !== undefined || performance.now() - beganMs < silentMs) continue;
    say('\nAnother command follows a run on the platform of this one, which stays for as long; Ctrl-C ends both.');
    restore = onInterrupt(() => (left = true));
  }
  restore?.();
}
