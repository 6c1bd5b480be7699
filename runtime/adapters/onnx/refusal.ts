import { MillraceError } from '../../ports/index.ts';

/** Why a file is refused; in `details.reason` of the error. */
export type RefusalReason =
  | 'empty'
  | 'too-large'
  | 'not-onnx'
  | 'truncated'
  | 'malformed'
  | 'external-data'
  | 'custom-operator'
  | 'forbidden-operator'
  | 'tensor-size'
  | 'absurd-shape'
  | 'future-version'
  | 'dangling-value'
  | 'too-deep'
  | 'too-many'
  | 'recursive-function'
  | 'unsupported-type'
  | 'runtime';

/** `where` names the place inside of the file, outermost first: `graph > node 0 (If) > attribute "then_branch"`. */
export function refused(reason: RefusalReason, where: string, problem: string): MillraceError {
  return new MillraceError('MODEL_REFUSED', `model refused: ${where === '' ? '' : `${where}: `}${problem}`, {
    details: { reason, where },
  });
}

/** A name of the file, fit for a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}
