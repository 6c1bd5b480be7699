import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { compiledFile } from '../../compiled.ts';
import type { AcknowledgedAppend } from './log-harness.ts';

const child = compiledFile(new URL('append-child.ts', import.meta.url));

export interface ChildAdapter {
  /** Absolute path of the module that exports `open`. */
  readonly module: string;
  readonly open: string;
  /** Must survive JSON. */
  readonly options: unknown;
  readonly mutant?: string | undefined;
}

/** Runs `append-child.ts`, kills it with -9 once it told `callsMin` calls, and answers all that it told. */
export async function killWhileAppending(
  { module, open, options, mutant }: ChildAdapter,
  topic: string,
  callsMin: number,
): Promise<readonly AcknowledgedAppend[]> {
  const process_ = spawn(process.execPath, [child, module, open, JSON.stringify(options), topic, mutant ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => process_.once('exit', resolve));
  const told: AcknowledgedAppend[] = [];
  for await (const line of createInterface({ input: process_.stdout })) {
    // The last line may be cut short by the kill.
    if (line.endsWith('}')) told.push(JSON.parse(line) as AcknowledgedAppend);
    if (told.length >= callsMin && !process_.killed) process_.kill('SIGKILL');
  }
  await exited;
  if (process_.signalCode !== 'SIGKILL') throw new Error(`The child ended by itself after ${told.length} calls.`);
  return told;
}
