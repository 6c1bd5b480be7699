/** The code of a deployment as one ES module that exports its functions, by the names that the document calls them. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MillraceError } from '../../ports/errors.ts';
import { buildModule } from './build-module.ts';

/** A TypeScript file whose default export is a deployment: its functions come with it. */
export async function bundleDeployment(file: string): Promise<Uint8Array> {
  const path = resolve(file);
  if (!existsSync(path)) throw new MillraceError('INVALID_ARGUMENT', `there is no file '${file}'`);
  return await buildModule(path);
}

/** Functions of several files, named `<file>#<function>`; files lie relative to `from`. */
export async function bundleFunctions(
  from: string,
  wanted: readonly { readonly file: string; readonly function: string }[],
): Promise<Uint8Array> {
  const files = [...new Set(wanted.map(({ file }) => file))].sort();
  for (const file of files) {
    const path = resolve(from, '..', file);
    if (!existsSync(path)) throw new MillraceError('INVALID_ARGUMENT', `${from}: there is no file ${path}`);
  }
  const relative = (file: string): string => (/^\.{0,2}\//.test(file) ? file : `./${file}`);
  const imports = files.map((file, index) => `import * as file${index} from ${JSON.stringify(relative(file))};`);
  const entries = wanted.map(({ file, function: name }) => {
    const key = JSON.stringify(`${file}#${name}`);
    return `  [${key}, file${files.indexOf(file)}[${JSON.stringify(name)}]],`;
  });
  const entry = [
    ...imports,
    'export default {',
    '  millraceDeployment: 1,',
    '  functions: new Map([',
    ...[...new Set(entries)].sort(),
    '  ]),',
    '};',
  ];
  return await buildModule(resolve(from), `${entry.join('\n')}\n`);
}
