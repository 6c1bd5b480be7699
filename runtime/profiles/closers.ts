/** Closes in the reverse order of opening, once. */
export class Closers {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add<T>(part: T, close: (part: T) => Promise<void> | void): T {
    this.#closers.push(() => close(part));
    return part;
  }

  async close(): Promise<void> {
    await closeAll(this.#closers.splice(0).reverse());
  }
}

/** One after the other; what one of them throws keeps none of the others from closing, and is thrown at the end. */
export async function closeAll(closers: readonly (() => Promise<void> | void | undefined)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const close of closers) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} parts could not be closed in order`);
  if (errors.length === 1) throw errors[0];
}
