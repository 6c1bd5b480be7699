/**
 * An iterable that can be read once, whose `release` runs exactly once: at the end, on an error, or when the reader stops early.
 * (A generator that nobody started would skip its `finally`.)
 */
export function readOnce<Page>(
  nextPage: () => Promise<Page | undefined>,
  release: () => Promise<void> = async () => {},
): AsyncIterable<Page> {
  let open = true;
  const end = async (): Promise<IteratorReturnResult<undefined>> => {
    if (open) {
      open = false;
      await release();
    }
    return { done: true, value: undefined };
  };
  const next = async (): Promise<IteratorResult<Page, undefined>> => {
    if (!open) return { done: true, value: undefined };
    try {
      const page = await nextPage();
      if (page !== undefined) return { done: false, value: page };
    } catch (error) {
      await end();
      throw error;
    }
    return end();
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
}
