import type { LogHarness } from './log-harness.ts';

/** Waits for a condition, looking again every `everyMs`; throws what it waited for when the deadline passes. */
export async function until(
  { deadlineMs }: Pick<LogHarness, 'deadlineMs'>,
  what: string,
  condition: () => boolean | Promise<boolean>,
  everyMs = 2,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited ${deadlineMs} ms in vain until ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** The answer of `promise`, or an error when it does not settle before the deadline. */
export async function settled<T>(
  { deadlineMs }: Pick<LogHarness, 'deadlineMs'>,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${deadlineMs} ms in vain until ${what}.`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
