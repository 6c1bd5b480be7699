/** Waits until the condition answers something, and says in vain for what. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | Promise<T | undefined>,
  deadlineMs = 30_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs / 1000} s in vain until ${what}`);
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
}
