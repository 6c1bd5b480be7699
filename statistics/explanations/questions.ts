/**
 * Explainers ask a model about made-up rows. They are generators: each yields rows and is sent one prediction per row,
 * so that the same code serves a function, a worker or a remote model, and the caller owns batching and time limits.
 */
export type Questions<Answer> = Generator<readonly (readonly number[])[], Answer, ArrayLike<number>>;

/** Runs an explainer against a synchronous model. @throws RangeError when the model answers with another count. */
export function answer<Answer>(
  questions: Questions<Answer>,
  predict: (rows: readonly (readonly number[])[]) => ArrayLike<number>,
): Answer {
  let step = questions.next();
  while (step.done !== true) {
    const values = predict(step.value);
    requireAll(step.value.length, values.length);
    step = questions.next(values);
  }
  return step.value;
}

/** Runs an explainer against an asynchronous model. Rejects as the model does. */
export async function answerAsync<Answer>(
  questions: Questions<Answer>,
  predict: (rows: readonly (readonly number[])[]) => Promise<ArrayLike<number>>,
): Promise<Answer> {
  let step = questions.next();
  while (step.done !== true) {
    const values = await predict(step.value);
    requireAll(step.value.length, values.length);
    step = questions.next(values);
  }
  return step.value;
}

function requireAll(rows: number, values: number): void {
  if (rows !== values) throw new RangeError(`the model must answer every row: asked ${rows}, got ${values}`);
}
