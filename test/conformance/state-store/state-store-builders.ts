import { expect } from 'vitest';
import type { ErrorCode } from '../../../runtime/ports/errors.ts';
import type { StateEntry, StateSnapshot, TaskState } from '../../../runtime/ports/state-store.ts';

export const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
export const entry = (key: string, value: string): StateEntry => [key, bytes(value)];
export const textOf = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString('latin1');
export const textsOf = (entries: readonly StateEntry[]): readonly (readonly [string, string | undefined])[] =>
  entries.map(([key, value]) => [key, textOf(value)]);

/** `k0000`, `k0001`, …: same length, so that every sensible order agrees. */
export const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `k${String(index).padStart(4, '0')}`);

export async function getText(state: TaskState, key: string): Promise<string | undefined> {
  return textOf((await state.get([key]))[0]);
}

export async function allEntries(snapshot: StateSnapshot): Promise<readonly (readonly [string, string | undefined])[]> {
  const entries: (readonly [string, string | undefined])[] = [];
  for await (const page of snapshot.entries) entries.push(...textsOf(page));
  return entries;
}

export async function* pages(...entries: readonly (readonly StateEntry[])[]): AsyncIterable<readonly StateEntry[]> {
  yield* entries;
}

export async function expectCode(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  await expect(call).rejects.toMatchObject({ name: 'MillraceError', code });
}
