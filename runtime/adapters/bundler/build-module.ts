/**
 * TypeScript as one ES module. Everything is inside but `millrace`, which is the package that runs the bundle, and packages with native
 * code, which cannot be; those are named on the first line.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import { sourceScheme } from '../../ports/thrown.ts';
import { externalsMark, packageFolders } from '../process-executor/step-files.ts';

/**
 * The module's bytes; the same sources give the same bytes. `entry`: text that stands in for the file, and imports by its folder.
 * INVALID_ARGUMENT names file, line and reason.
 */
export async function buildModule(path: string, entry?: string): Promise<Uint8Array> {
  const { build: esbuild } = await import('esbuild');
  const externals = new Set<string>();
  try {
    const result = await esbuild({
      ...(entry === undefined
        ? { entryPoints: [path] }
        : {
            stdin: { contents: entry, resolveDir: dirname(path), sourcefile: 'deployment-code', loader: 'ts' as const },
          }),
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      charset: 'utf8',
      logLevel: 'silent',
      absWorkingDir: dirname(path),
      // so that comments with paths, and with them the hash, do not depend on where the project lies
      legalComments: 'none',
      banner: { js: requireForCommonJs },
      // positions only: what a file says stays with its owner
      sourcemap: 'external',
      sourcesContent: false,
      outfile: join(dirname(path), 'bundle.mjs'),
      plugins: [outside(externals)],
    });
    const [map, module] = ['.map', '.mjs'].map(
      (end) => result.outputFiles.find((file) => file.path.endsWith(end))?.text ?? '',
    );
    const header = externals.size === 0 ? '' : `${externalsMark}${[...externals].sort().join(' ')}\n`;
    return Buffer.from(`${header}${module}${sourceMapOf(map ?? '{}', header === '' ? 0 : 1)}`);
  } catch (error) {
    const { errors = [] } = error as { errors?: { text: string; location: { file: string; line: number } | null }[] };
    const reasons = errors.map(({ text, location }) =>
      location === null ? text : `${location.file}:${location.line}: ${text}`,
    );
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${path} cannot be bundled: ${reasons.join('; ') || messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * The map as the module's last line, so that a stack trace names the user's files: relative to the folder of the entry, wherever the
 * bundle lies. `lines` were put before the module.
 */
function sourceMapOf(text: string, lines: number): string {
  const { sources = [], mappings = '', ...map } = JSON.parse(text) as { sources?: string[]; mappings?: string };
  const moved = {
    ...map,
    sources: sources.map((source) => sourceScheme + source),
    mappings: ';'.repeat(lines) + mappings,
  };
  return `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(moved)).toString('base64')}\n`;
}

/** CommonJS packages inside the bundle ask for Node's own modules by require. */
const requireForCommonJs =
  "import { createRequire as millraceCreateRequire } from 'node:module'; const require = millraceCreateRequire(import.meta.url);";

/** What `millrace` exports, by the small rooms that it comes from: a step's process loads only those that the flow uses. */
export const sdkRooms: Readonly<Record<string, readonly string[]>> = {
  'millrace/flow': ['flow', 'artifact', 'card', 'ArrowTable', 'NdArray', 'MergeConflictError', 'MergeMissingError'],
  'millrace/onnx': ['defaultOperatorSets', 'encodeLinearRegression', 'encodeOnnxModel', 'encodeTreeEnsemble'],
  'millrace/deployment': ['Deployment', 'deployment', 'Graph', 'graph', 'pipeline'],
  'millrace/detectors': ['fitOutlierDetector', 'onnxOutlierDetector'],
  'millrace/tracking': ['RunLogger', 'attachRun', 'startRun', 'syncSpool'],
  'millrace/client': ['Client', 'connect', 'DataArtifact', 'Flow', 'Run', 'Step', 'Task'],
};

const sdkModule = Object.entries(sdkRooms)
  .map(([room, names]) => `export { ${names.join(', ')} } from '${room}';`)
  .join('\n');

function outside(externals: Set<string>): Plugin {
  const sdk = ['ts', 'js'].map((extension) =>
    fileURLToPath(new URL(`../../../sdk/index.${extension}`, import.meta.url)),
  );
  const rooms = { path: 'millrace', namespace: 'millrace-sdk', sideEffects: false };
  return {
    name: 'millrace-outside',
    setup: (build) => {
      build.onResolve({ filter: /^millrace$/ }, () => rooms);
      build.onLoad({ filter: /.*/, namespace: 'millrace-sdk' }, () => ({ contents: sdkModule, loader: 'js' }));
      build.onResolve({ filter: /^millrace\// }, ({ path }) => ({ path, external: true, sideEffects: false }));
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir }) =>
        sdk.includes(resolve(resolveDir, path)) ? rooms : undefined,
      );
      build.onResolve({ filter: /^[^./]/ }, ({ path, resolveDir }) => {
        const name = packageName(path);
        if (path.startsWith('node:') || !isNative(name, resolveDir)) return undefined;
        externals.add(name);
        return { path, external: true };
      });
    },
  };
}

function packageName(specifier: string): string {
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

/** Whether a package brings native code: it says so, or holds binaries at the usual places. */
function isNative(name: string, from: string): boolean {
  const folder = findPackage(name, from);
  if (folder === undefined) return false;
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  if (manifest['gypfile'] === true || manifest['binary'] !== undefined || manifest['napi'] !== undefined) return true;
  const optional = Object.keys((manifest['optionalDependencies'] as object | undefined) ?? {});
  if (optional.some((dependency) => /(linux|darwin|win32)-(x64|arm64)/.test(dependency))) return true;
  return ['binding.gyp', 'prebuilds', 'build/Release', 'bin/napi-v3', 'bin/napi-v6'].some((path) =>
    existsSync(join(folder, path)),
  );
}

function findPackage(name: string, from: string): string | undefined {
  const folders: string[] = [];
  for (let at = from; ; at = dirname(at)) {
    folders.push(join(at, 'node_modules'));
    if (dirname(at) === at) break;
  }
  return [...folders, ...packageFolders()]
    .map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, 'package.json')));
}
