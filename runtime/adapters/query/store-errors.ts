import { MillraceError } from '../../ports/errors.ts';

export function newerStore(name: string, stored: number, own: number): MillraceError {
  return new MillraceError(
    'NEWER_FORMAT',
    `the query store ${name} was filled by version ${stored}, this program has ${own}: start the newer program, or remove the store to fill it again`,
  );
}

export function closedStore(): MillraceError {
  return new MillraceError('CLOSED', 'the query store was closed');
}

export function movedSource(source: string): MillraceError {
  return new MillraceError('FENCED', `${source} was moved by another writer: read its position and go on from there`);
}
