import { readFileSync } from 'node:fs';
import { MillraceError, messageOf } from '../../ports/errors.ts';

/** Where a secret's value is read. */
export interface SecretSource {
  readonly provider: string;
  readonly key: string;
}

/** What this executor takes from the settings of a task. */
export interface WorkSettings {
  readonly resources?: { readonly memoryMb?: number };
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, SecretSource>>;
  readonly maxSplits?: number;
  /** Of a foreach: tell its items apart by their content. */
  readonly digests?: boolean;
  /** Parameters that are files, with how the step sees them: text, bytes or json. */
  readonly files?: Readonly<Record<string, string>>;
  readonly end?: Readonly<Record<string, unknown>>;
}

export function settingsOf(text: string | undefined): WorkSettings {
  return text === undefined ? {} : (JSON.parse(text) as WorkSettings);
}

export function maxSplitsOf({ maxSplits }: WorkSettings): number {
  return maxSplits ?? Number.POSITIVE_INFINITY;
}

/** Reads secrets where this worker has them. Refusals name the secret, never a value. */
export function readSecrets(secrets: Readonly<Record<string, SecretSource>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(secrets).map(([name, source]) => [name, readSecret(name, source)]));
}

function readSecret(name: string, { provider, key }: SecretSource): string {
  const refuse = (why: string): MillraceError => new MillraceError('INVALID_ARGUMENT', `secret '${name}': ${why}`);
  switch (provider) {
    case 'env': {
      const value = process.env[key];
      if (value === undefined)
        throw refuse(`the worker has no environment variable '${key}': set it where the worker runs`);
      return value;
    }
    case 'file':
      try {
        return readFileSync(key, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        throw refuse(`the worker cannot read '${key}': ${messageOf(error)}`);
      }
    case 'kubernetes':
      throw refuse(`the provider kubernetes is there on workers of Kubernetes: give the step their compute class`);
    default:
      throw refuse(`there is no provider '${provider}'; providers are env, file and kubernetes`);
  }
}

/** Variables by which the platform gives a step the token of its run. */
const tokenVariables = ['MILLRACE_TOKEN', 'MLFLOW_TRACKING_TOKEN'];

/** What must be in no log, card or message of a step: its secrets, and the token of its run. */
export function hiddenValues(
  environment: WorkSettings['environment'],
  secrets: Readonly<Record<string, string>>,
): readonly string[] {
  return [...Object.values(secrets), ...tokenVariables.map((name) => environment?.[name] ?? '')];
}

/**
 * Takes values out of a text, and each line of a value that has several, since logs come by lines; very short ones would take out
 * everything else too.
 */
export function masker(values: readonly string[]): (text: string) => string {
  const parts = values.flatMap((value) => [value, ...value.split(/\r?\n|\r/)]);
  const hidden = [...new Set(parts)].filter((value) => value.length >= 4).sort((a, b) => b.length - a.length);
  if (hidden.length === 0) return (text) => text;
  return (text) => hidden.reduce((shown, value) => shown.replaceAll(value, '***'), text);
}
