/** Parameters of a run, from the command line and the environment, as the flow names them. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { nearest } from '../../runtime/config/nearest.ts';
import { messageOf, MillraceError } from '../../runtime/ports/errors.ts';
import type { ParameterSpec } from '../../schemas/flow-parameters.ts';

type Specs = Readonly<Record<string, ParameterSpec>>;

export const environmentPrefix = 'MILLRACE_RUN_';

/** `maxDepth` as `--max-depth`. */
export function flagOf(name: string): string {
  return `--${name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase()}`;
}

export function variableOf(name: string): string {
  return `${environmentPrefix}${name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()}`;
}

/**
 * Reads `--name value`, `--name=value` and, for booleans, `--name` and `--no-name`. INVALID_ARGUMENT says what was meant.
 */
export function parametersOfWords(words: readonly string[], specs: Specs): Readonly<Record<string, unknown>> {
  const given: Record<string, unknown> = {};
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (!word.startsWith('--')) throw unexpected(word);
    const equals = word.indexOf('=');
    const flag = equals < 0 ? word : word.slice(0, equals);
    const denied = flag.startsWith('--no-') ? named(specs, `--${flag.slice(5)}`) : undefined;
    const name = named(specs, flag) ?? denied;
    if (name === undefined) throw unknownFlag(flag, specs);
    if (specs[name]?.type === 'boolean' && equals < 0) {
      const next = words[at + 1];
      const said = next === 'true' || next === 'false';
      given[name] = said ? next : name !== denied || flag === flagOf(name);
      if (said) at += 1;
    } else if (equals >= 0) given[name] = word.slice(equals + 1);
    else {
      at += 1;
      const next = words[at];
      if (next === undefined) throw new MillraceError('INVALID_ARGUMENT', `${flag} needs a value: ${flag} <value>`);
      given[name] = next;
    }
  }
  return given;
}

/** `MILLRACE_RUN_ALPHA=0.5`. A variable that no parameter has is passed over: it may be meant for another flow. */
export function parametersOfEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  specs: Specs,
): Readonly<Record<string, unknown>> {
  const given = Object.keys(specs).flatMap((name) => {
    const value = environment[variableOf(name)];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(given);
}

/** Uploads the files that are parameters and puts in what names their content. */
export async function withFiles(
  parameters: Readonly<Record<string, unknown>>,
  specs: Specs,
  upload: (content: Uint8Array) => Promise<{ readonly hash: string; readonly sizeBytes: number }>,
): Promise<Readonly<Record<string, unknown>>> {
  const values: Record<string, unknown> = { ...parameters };
  for (const [name, path] of Object.entries(parameters)) {
    if (specs[name]?.type !== 'file' || typeof path !== 'string') continue;
    values[name] = { ...(await upload(contentOf(name, path))), name: basename(path) };
  }
  return values;
}

function contentOf(name: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const why = messageOf(cause);
    throw new MillraceError('INVALID_ARGUMENT', `parameter '${name}': the file ${path} cannot be read: ${why}`, {
      cause,
    });
  }
}

/** However it is written: case, `-` and `_` do not matter. */
function named(specs: Specs, flag: string): string | undefined {
  const plain = (text: string): string => text.replaceAll(/[-_]/g, '').toLowerCase();
  return Object.keys(specs).find((name) => plain(name) === plain(flag));
}

function unexpected(word: string): MillraceError {
  return new MillraceError(
    'INVALID_ARGUMENT',
    `'${word.slice(0, 80)}' is no parameter: write --name value or -P name=value`,
  );
}

function unknownFlag(flag: string, specs: Specs): MillraceError {
  const known = Object.keys(specs).map(flagOf);
  const near = nearest(flag, known, 2);
  const meant = near === undefined ? '' : ` Did you mean ${near}?`;
  const has = known.length === 0 ? 'it has no parameters' : `its parameters are ${known.join(', ')}`;
  return new MillraceError(
    'INVALID_ARGUMENT',
    `neither the command nor the flow has an option ${flag}: ${has}.${meant}`,
  );
}
