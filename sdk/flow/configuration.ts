import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { invalidArgument, messageOf } from '../../runtime/ports/errors.ts';
import type { ConfigurationOptions } from './types.ts';

/** Every record of a task carries it. */
const bytesMax = 32 * 1024;

/** Reads what a flow's configuration is made of, as it is now. */
export function readConfiguration(
  declared: Readonly<Record<string, ConfigurationOptions<unknown>>>,
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, { file, parse, default: fallback }] of Object.entries(declared)) {
    const there = file !== undefined && existsSync(file);
    if (!there && fallback === undefined)
      throw invalidArgument(
        file === undefined
          ? `configuration '${name}' needs a file or a default`
          : `configuration '${name}': there is no file '${file}' in ${process.cwd()}; create it or give a default`,
      );
    values[name] = there ? parsed(name, file, readFileSync(file, 'utf8'), parse) : fallback;
  }
  const sizeBytes = Buffer.byteLength(JSON.stringify(values) ?? '');
  if (sizeBytes > bytesMax)
    throw invalidArgument(
      `the configuration has ${sizeBytes} bytes, at most ${bytesMax} are allowed: load big data in a step`,
    );
  return values;
}

function parsed(name: string, file: string, text: string, parse: ((text: string) => unknown) | undefined): unknown {
  try {
    return parse === undefined ? parseYaml(text) : parse(text);
  } catch (error) {
    throw invalidArgument(`configuration '${name}': ${file} cannot be read: ${messageOf(error)}`);
  }
}

/** Loaded when a flow has a file to read: the process of a step never has. */
function parseYaml(text: string): unknown {
  const { parse } = createRequire(import.meta.url)('yaml') as { parse(text: string): unknown };
  return parse(text);
}
