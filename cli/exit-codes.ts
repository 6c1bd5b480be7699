import { type ErrorCode, MillraceError } from '../runtime/ports/errors.ts';

/** What the process answers; listed in docs/cli.md. */
export const exitCode = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  auth: 4,
  conflict: 5,
  timeout: 6,
  degraded: 7,
  interrupted: 130,
} as const;

const byCode: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: exitCode.usage,
  INVALID_CONFIGURATION: exitCode.usage,
  NOT_FOUND: exitCode.notFound,
  FORBIDDEN: exitCode.auth,
  CONFLICT: exitCode.conflict,
  LOCKED: exitCode.conflict,
  TIMEOUT: exitCode.timeout,
  UNAVAILABLE: exitCode.degraded,
};

export function exitCodeOf(error: unknown): number {
  return error instanceof MillraceError ? (byCode[error.code] ?? exitCode.failure) : exitCode.failure;
}
