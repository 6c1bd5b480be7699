/** A program that did not do its work, as the outcome will say it. */
export class ProgramFailure extends Error {
  override readonly name = 'ProgramFailure';
  readonly kind: 'user' | 'killed';

  constructor(kind: 'user' | 'killed', message: string, lastWords = '') {
    super(message);
    this.kind = kind;
    this.stack = lastWords;
  }
}

/** A failure that whoever wrote the program can mend. */
export function userFailure(message: string): ProgramFailure {
  return new ProgramFailure('user', message);
}
