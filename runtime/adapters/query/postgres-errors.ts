import { MillraceError, messageOf } from '../../ports/errors.ts';

/** Serialization failure, deadlock: the same transaction again may succeed. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const unsettled = new Set(['40001', '40P01']);

export function isUnsettled(error: unknown): boolean {
  return unsettled.has(stateOf(error));
}

/** What PostgreSQL and its client say, in our codes. */
export function translated(error: unknown): unknown {
  if (error instanceof MillraceError) return error;
  const state = stateOf(error);
  const said = `PostgreSQL: ${messageOf(error)}`;
  if (/^(53100|53200)$/.test(state)) return new MillraceError('DISK_FULL', said, { cause: error });
  if (/^(28|3D)/.test(state)) {
    return new MillraceError('INVALID_CONFIGURATION', `${said}: see the setting query.url`, { cause: error });
  }
  if (state === '42P01' || state === '3F000') {
    return new MillraceError('UNAVAILABLE', `${said}: the tables were removed; start again to fill them`, {
      cause: error,
    });
  }
  // Class 22 and 23: data that does not fit, although it was checked.
  if (/^2[23]/.test(state)) return new MillraceError('INVALID_ARGUMENT', said, { cause: error });
  // Everything without a state comes from the connection; 08, 53, 55 and 57 from a server that cannot serve now.
  if (!/^[0-9A-Z]{5}$/.test(state) || /^(08|53|55|57)/.test(state) || unsettled.has(state)) {
    return new MillraceError('UNAVAILABLE', `${said}: is the server of query.url up?`, { cause: error });
  }
  return error;
}

function stateOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
