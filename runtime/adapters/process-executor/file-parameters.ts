import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../ports/errors.ts';
import { bundleFolder, type FileParameter } from './protocol.ts';
import type { Lease, StepFiles } from './step-files.ts';

/** What a parameter of a run says about a file: see `FileValue` of `schemas/flow-parameters.ts`. */
type Said = { readonly hash?: string; readonly sizeBytes?: number; readonly path?: string; readonly content?: string };

/** Brings the files that are parameters to this machine. Those that nobody gave are left out. */
export async function fileParameters(
  declared: Readonly<Record<string, string>> | undefined,
  parameters: string,
  bundlePath: string,
  files: StepFiles,
  lease: Lease,
): Promise<readonly FileParameter[]> {
  if (declared === undefined) return [];
  const values = JSON.parse(parameters) as Readonly<Record<string, Said | null>>;
  const given = Object.entries(declared).flatMap(([name, as]) => {
    const value = values[name] ?? null;
    return value === null ? [] : [{ name, as, value }];
  });
  return await Promise.all(
    given.map(async ({ name, as, value: { hash, sizeBytes = 0, path, content } }) => {
      if (hash !== undefined) return { name, as, path: await files.file(hash, sizeBytes, lease) };
      if (path !== undefined) return { name, as, path: join(bundleFolder(bundlePath), path) };
      return { name, as, path: await files.text(content ?? '', lease) };
    }),
  );
}

/** In the child: the parameters, with content in the place of files. It is read when it is first used. */
export function withContents(
  parameters: Record<string, unknown>,
  files: readonly FileParameter[],
): Readonly<Record<string, unknown>> {
  for (const { name, as, path } of files) {
    const get = (): unknown => {
      const value = contentOf(name, as, path);
      Object.defineProperty(parameters, name, { enumerable: true, configurable: true, writable: true, value });
      return value;
    };
    Object.defineProperty(parameters, name, { enumerable: true, configurable: true, get });
  }
  return parameters;
}

function contentOf(name: string, as: string, path: string): unknown {
  const bytes = readFileSync(path);
  if (as === 'bytes') return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = bytes.toString('utf8');
  if (as === 'text') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`parameter '${name}' is a file of JSON, and is none: ${messageOf(error)}`);
  }
}
