/**
 * Every error code of the platform, with the HTTP status a gateway answers and whether the same call may succeed later.
 * An error a caller can act on is always a {@link MillraceError} with one of these codes; `docs/errors.md` lists them.
 */
export const errorCodes = {
  // the caller's fault
  INVALID_ARGUMENT: { status: 400, retryable: false, says: 'A value has the wrong type, shape or range.' },
  INVALID_CONFIGURATION: { status: 500, retryable: false, says: 'A setting is missing, unknown or out of range.' },
  NOT_FOUND: { status: 404, retryable: false, says: 'Nothing with that id or name exists.' },
  CONFLICT: {
    status: 409,
    retryable: false,
    says: 'The same id was used before with other content, or the state forbids it.',
  },
  FORBIDDEN: { status: 403, retryable: false, says: 'The caller may not do that from there.' },
  TOO_LARGE: { status: 413, retryable: false, says: 'A record, body, tensor or file is over its limit.' },
  UNSUPPORTED: { status: 400, retryable: false, says: 'The input is valid, but outside what the platform runs.' },
  MODEL_REFUSED: { status: 400, retryable: false, says: 'A model file is corrupt or not allowed at the door.' },
  POISON_RECORD: { status: 422, retryable: false, says: 'The bytes of a record contradict its schema.' },
  UNKNOWN_SCHEMA: { status: 422, retryable: false, says: 'The registry says that it has no such schema.' },
  INCOMPATIBLE_SCHEMA: { status: 409, retryable: false, says: 'A schema breaks the compatibility of its subject.' },
  // the platform's state
  TOPIC_MISMATCH: {
    status: 500,
    retryable: false,
    says: 'A topic exists with other partitions or settings than its catalogue entry.',
  },
  FENCED: { status: 409, retryable: true, says: 'Another owner has opened the task, or its state moved: reopen.' },
  UNKNOWN_OUTCOME: { status: 503, retryable: true, says: 'Whether the write happened is not known: reopen and look.' },
  STATE_AHEAD_OF_LOG: { status: 500, retryable: false, says: 'The state knows more than the log holds: rebuild it.' },
  LOG_TRUNCATED: {
    status: 500,
    retryable: false,
    says: 'The log starts after the position and no snapshot covers the gap.',
  },
  NEWER_FORMAT: { status: 500, retryable: false, says: 'Data was written by a newer version of the program.' },
  LOCKED: { status: 409, retryable: true, says: 'Another process uses the directory.' },
  CORRUPT: { status: 500, retryable: false, says: 'Stored bytes do not match their checksum.' },
  DISK_FULL: { status: 507, retryable: true, says: 'No space is left for the write; nothing was acknowledged.' },
  UNAVAILABLE: { status: 503, retryable: true, says: 'A service that is needed does not answer.' },
  OVERLOADED: {
    status: 503,
    retryable: true,
    says: 'More waits than is allowed; nothing was done: try again after a while.',
  },
  RATE_LIMITED: {
    status: 429,
    retryable: true,
    says: 'More requests in a second than the deployment allows; nothing was done: try again after a while.',
  },
  TIMEOUT: { status: 504, retryable: true, says: 'The deadline passed before the outcome was known.' },
  CANCELLED: { status: 499, retryable: false, says: 'The work was cancelled by its owner.' },
  CLOSED: { status: 503, retryable: false, says: 'The object was closed before the call.' },
  // user code
  NO_ANSWER: { status: 422, retryable: false, says: 'No node of the inference graph led to its output.' },
  USER_CODE_FAILED: { status: 500, retryable: false, says: 'User code threw or ended abnormally.' },
  INTERNAL: { status: 500, retryable: false, says: 'A defect of the platform.' },
} as const satisfies Record<string, { status: number; retryable: boolean; says: string }>;

export type ErrorCode = keyof typeof errorCodes;

export interface MillraceErrorOptions {
  readonly cause?: unknown;
  /** Structured facts: ids, what was expected, what was got. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An error with a code of {@link errorCodes}. The message says what happened, to which id, what was expected and what to do next. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }
}

/** What the caller gave cannot be worked with. */
export function invalidArgument(message: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message);
}

/** Classifies anything thrown, and never throws itself. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is MillraceError {
  return error instanceof MillraceError && codes.includes(error.code);
}

/**
 * Whether opening a task again may help: another owner had it, a store was away, the outcome of a write was not known, or the disk was full,
 * which somebody may mend while the task waits. `retryable` says more: also what a caller may simply ask for again.
 */
export function mayHeal(error: unknown): error is MillraceError {
  return hasCode(error, 'FENCED', 'UNKNOWN_OUTCOME', 'UNAVAILABLE', 'DISK_FULL', 'TIMEOUT');
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
