/**
 * The platform's sources as the JavaScript that is published: each module that something starts or imports by its path is a file at that
 * path, and what they share lies in chunks beside them. A process that loads some thirty files starts in a third of the time of one that
 * loads the fifteen hundred they were made from.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { packageRooms } from '../../runtime/adapters/child-module.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Modules of threads and children, and the services' own flows: started by their path, as the ending of their name says. */
const startedModules = [
  ...filesOf('runtime', /-(thread|child)\.ts$/),
  ...filesOf('services', /-(thread|child|flow)\.ts$/),
];

/** What is started or imported by its path: the program, the doors of the package, and the modules of child processes and threads. */
export const packageEntries = [
  'cli/main',
  'runtime/testing/index',
  ...Object.values(packageRooms).map((room) => `${room}/index`),
  ...startedModules,
];

/** Packages of hundreds of small modules without native code; the others stay outside. */
export const inlinedPackages = ['typebox', 'kysely', 'uuid'];

/**
 * Writes the JavaScript of `entries` (paths without their ending, relative to `root`) below `outdir`, with source maps when asked for.
 * Throws with esbuild's messages when a source does not compile or an entry is missing.
 */
export async function bundlePackage(options: {
  readonly root: string;
  readonly outdir: string;
  readonly entries: readonly string[];
  readonly sourcemap?: boolean;
}): Promise<void> {
  const { root, outdir, entries, sourcemap = false } = options;
  const { outputFiles } = await build({
    entryPoints: entries.map((entry) => join(root, `${entry}.ts`)),
    outdir,
    outbase: root,
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    charset: 'utf8',
    logLevel: 'silent',
    legalComments: 'none',
    chunkNames: 'chunks/[name]-[hash]',
    sourcemap,
    define: { 'import.meta.url': addressName },
    plugins: [outside, ownAddress(root)],
  });
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    const up = relative(dirname(path), outdir) || '.';
    // in a source map it is quoted text already
    const own = path.endsWith('.js') ? `new URL("${up}/", import.meta.url)` : 'import.meta.url';
    writeFileSync(path, text.replaceAll(rootMark, own));
  }
}

const outside: Plugin = {
  name: 'packages-outside',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      const [name = ''] = path.split('/');
      return kind === 'entry-point' || inlinedPackages.includes(name) ? undefined : { path, external: true };
    });
  },
};

const rootMark = '__MILLRACE_PACKAGE_ROOT__';
const addressName = '__millraceModuleAddress';

/** A module that asks for its own address gets that of its source within the package, whichever chunk it ended up in. */
function ownAddress(root: string): Plugin {
  return {
    name: 'own-address',
    setup: ({ onLoad }) => {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        if (path.includes('node_modules') || !text.includes('import.meta.url')) return undefined;
        const own = relative(root, path).replace(/\.ts$/, '.js');
        return { contents: `const ${addressName} = new URL("${own}", ${rootMark}).href; ${text}`, loader: 'ts' };
      });
    },
  };
}

/** Paths without `.ts`, relative to the root. */
function filesOf(room: string, ending: RegExp): readonly string[] {
  const files = readdirSync(join(root, room), { recursive: true }) as string[];
  return files.filter((file) => ending.test(file)).map((file) => join(room, file.replace(/\.ts$/, '')));
}
