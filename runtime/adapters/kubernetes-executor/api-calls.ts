import { MillraceError, messageOf } from '../../ports/errors.ts';

/** What the API server made of a call. */
export interface Refusal {
  /** HTTP status; 0: it was not reached. */
  readonly status: number;
  /** As Kubernetes names it: AlreadyExists, Forbidden, Invalid … */
  readonly reason: string;
  readonly message: string;
}

export function refusalOf(error: unknown): Refusal {
  if (error instanceof Error && 'code' in error && typeof error.code === 'number') {
    const { reason = '', message = error.message } = bodyOf('body' in error ? error.body : undefined);
    return { status: error.code, reason, message };
  }
  return { status: 0, reason: '', message: causeOf(error) };
}

/** The same call may be answered otherwise later: out of reach, overloaded, being started. */
export function isPassing({ status }: Refusal): boolean {
  return status === 0 || status === 401 || status === 429 || status >= 500;
}

/** A call that hangs is one that was not answered. */
export async function within<T>(call: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new MillraceError('TIMEOUT', `the API server did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

function bodyOf(body: unknown): { readonly reason?: string; readonly message?: string } {
  if (typeof body !== 'string') return body ?? {};
  try {
    return JSON.parse(body) as { reason?: string };
  } catch {
    return { message: body };
  }
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error);
}
