import { randomUUID } from 'node:crypto';
import { messageOf, MillraceError } from '../../../runtime/ports/errors.ts';

/** A fresh subject; real registries keep what earlier cases said. */
export const subjectName = (): string => `millrace.test.Reading${randomUUID().replaceAll('-', '')}`;

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}

export function schemaV1(subject: string, more: readonly Field[] = []): string {
  const fields = [{ name: 'sensor', type: 'string' }, { name: 'value', type: 'double' }, ...more];
  return JSON.stringify({ type: 'record', ...nameOf(subject), fields });
}

/** The same schema with other white space and the keys in another order. */
export function schemaV1Respelt(subject: string): string {
  const fields = [
    { type: 'string', name: 'sensor' },
    { type: 'double', name: 'value' },
  ];
  return JSON.stringify({ fields, ...nameOf(subject), type: 'record' }, null, 2);
}

export const schemaV2 = (subject: string): string => schemaV1(subject, [{ name: 'unit', type: 'string', default: '' }]);

export const schemaV3 = (subject: string): string => schemaV1(subject, [{ name: 'note', type: 'string', default: '' }]);

/** The code with which the promise rejects. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return error instanceof MillraceError ? error.code : `no code: ${messageOf(error)}`;
  }
}

function nameOf(subject: string): { readonly name: string; readonly namespace: string } {
  const dot = subject.lastIndexOf('.');
  return { name: subject.slice(dot + 1), namespace: subject.slice(0, dot) };
}
