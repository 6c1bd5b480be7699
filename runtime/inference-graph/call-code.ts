/** Calls a function of custom code on the rows of a request, in whatever thread it lives. */
import { MillraceError, messageOf, type Tensor } from '../ports/index.ts';
import { type PlainRow, rowsOfTensors, tensorsOfRows } from '../tensors/row-values.ts';
import type { CodeAnswer, CodeCall } from './graph-services.ts';

/** Matched by shape: what the default export of a code bundle offers. */
export interface DeploymentCode {
  readonly millraceDeployment: 1;
  /** By the name that a document calls it. */
  readonly functions: ReadonlyMap<string, CodeFunction>;
}

export type CodeFunction = (...parts: unknown[]) => unknown;

export type CallContent = Pick<CodeCall, 'form' | 'rows' | 'inputs' | 'request' | 'models' | 'ask'>;

/** Names of the functions that a bundle offers; INVALID_ARGUMENT when it offers none. */
export function functionsOf(code: unknown): readonly string[] {
  return [...entriesOf(code)].filter(([, value]) => typeof value === 'function').map(([name]) => name);
}

/** The function that a document names; INVALID_ARGUMENT says which there are. */
export function functionOf(code: unknown, name: string): CodeFunction {
  const found = entriesOf(code).get(name);
  if (typeof found === 'function') return found as CodeFunction;
  throw lacksFunction(name, functionsOf(code));
}

export function lacksFunction(name: string, there: readonly string[]): MillraceError {
  return new MillraceError(
    'INVALID_ARGUMENT',
    `the bundle has no function '${name}'; it has ${there.slice(0, 20).join(', ') || 'none'}`,
  );
}

function entriesOf(code: unknown): ReadonlyMap<string, unknown> {
  const { millraceDeployment, functions } = (code ?? {}) as Partial<DeploymentCode>;
  if (millraceDeployment === 1 && functions instanceof Map) return functions as ReadonlyMap<string, unknown>;
  throw new MillraceError('INVALID_ARGUMENT', 'the bundle exports no deployment by default');
}

/** USER_CODE_FAILED when the function throws, or answers with what is neither row nor branch. */
export async function callCode(
  call: CodeFunction,
  { form, rows, inputs, request, models, ask }: CallContent,
): Promise<CodeAnswer> {
  const parts = inputs.map(({ name, tensors }) => ({ name, rows: rowsOfTensors(tensors, rows) }));
  const first = parts[0]?.rows ?? [];
  const requestRows = form === 'answer' ? rowsOfTensors(request, rows) : [];
  const asked = Object.fromEntries(
    models.map((model) => [model, (row: unknown) => askRow(row, (tensors) => ask(model, tensors))]),
  );
  const answers = await Promise.all(
    Array.from({ length: rows }, async (_, index) => {
      try {
        switch (form) {
          case 'row':
          case 'choose':
            return await call(first[index]);
          case 'models':
            return await call(first[index], asked);
          case 'answer':
            return await call(first[index], requestRows[index]);
          case 'combine':
            return await call(Object.fromEntries(parts.map((part) => [part.name, part.rows[index]])));
        }
      } catch (cause) {
        if (cause instanceof MillraceError) throw cause;
        throw new MillraceError('USER_CODE_FAILED', `its code threw: ${messageOf(cause)}`, { cause });
      }
    }),
  );
  if (form === 'choose') return chosen(answers);
  const tensors = tensorsOfRows(answers);
  return tensors === undefined ? { type: 'rows-disagree' } : { type: 'tensors', tensors };
}

/** The answer of the model for one row, as a row. */
async function askRow(row: unknown, ask: (inputs: readonly Tensor[]) => Promise<readonly Tensor[]>): Promise<PlainRow> {
  const outputs = await ask(tensorsOfRows([row]) ?? []);
  return rowsOfTensors(outputs, 1)[0] ?? {};
}

function chosen(answers: readonly unknown[]): CodeAnswer {
  const lists = answers.map((answer) => {
    const list = answer === null || answer === undefined ? [] : [answer].flat();
    const odd = list.find((branch) => typeof branch !== 'string');
    if (odd === undefined) return list as string[];
    throw new MillraceError(
      'USER_CODE_FAILED',
      `the code of a router must give the name of a branch, names, or null, got ${typeof odd}`,
    );
  });
  const [first = []] = lists;
  const alike = lists.every((list) => list.join('\u0000') === first.join('\u0000'));
  return alike ? { type: 'branches', branches: first } : { type: 'rows-disagree' };
}
