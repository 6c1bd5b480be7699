import { invalidArgument } from '../../runtime/ports/errors.ts';

/** Checks what a step returned. */
export function artifactsOf(step: string, answer: unknown): Readonly<Record<string, unknown>> {
  if (answer === undefined || answer === null) return {};
  if (typeof answer !== 'object' || Array.isArray(answer) || ArrayBuffer.isView(answer)) {
    const got = Array.isArray(answer) ? 'a list' : ArrayBuffer.isView(answer) ? 'bytes' : `a ${typeof answer}`;
    throw invalidArgument(`step '${step}' returned ${got}: return an object, whose properties become artifacts`);
  }
  if ((answer as { millraceFlow?: unknown }).millraceFlow === 1) {
    throw invalidArgument(
      `step '${step}' returned a chain: write a body of several steps as (inner) => inner.step(...)`,
    );
  }
  const artifacts: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(answer)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      throw invalidArgument(
        `step '${step}' returned an artifact named '${name.slice(0, 130)}': use letters, digits and '_'`,
      );
    }
    if (name === 'item' || name === 'inputs')
      throw invalidArgument(
        `step '${step}' returned an artifact named '${name}', which means something else: call it otherwise`,
      );
    if (value !== undefined) artifacts[name] = value as unknown;
  }
  return artifacts;
}
