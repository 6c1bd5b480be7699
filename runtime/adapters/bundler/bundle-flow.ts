import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import { type FlowCode, isFlowCode } from '../../ports/flow-code.ts';

/** A flow file as the platform takes it. */
export interface BundledFlow {
  readonly name: string;
  /** One ES module: exactly the bytes that every step of a run executes. */
  readonly code: Uint8Array;
  readonly graph: object;
  readonly triggers: readonly object[];
}

/** Packages whose native parts cannot be put into a module; a step finds them where the worker runs. */
const native = ['onnxruntime-node', 'lmdb', 'libsql', 'esbuild', 'fsevents'];

/**
 * Bundles a flow file with everything that it imports, and reads its graph. The bytes follow from the sources alone, so the same
 * code has the same hash. NOT_FOUND for a missing file, INVALID_ARGUMENT for one that does not compile or exports no flow.
 */
export async function bundleFlow(file: string): Promise<BundledFlow> {
  const path = resolve(file);
  if (!existsSync(path)) throw new MillraceError('NOT_FOUND', `there is no flow file ${path}`);
  const code = await bundle(path);
  const { name, graph, triggers } = await loadFlow(code, path);
  return { name, code, graph: graph as object, triggers: triggers as readonly object[] };
}

async function bundle(path: string): Promise<Uint8Array> {
  const { build } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      entryPoints: [path],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      logLevel: 'silent',
      legalComments: 'none',
      external: native,
      alias: { millrace: sdkPath() },
      // CommonJS packages inside the bundle ask for `require`.
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(process.cwd() + '/');",
      },
    });
    return outputFiles[0]?.contents ?? new Uint8Array();
  } catch (cause) {
    throw new MillraceError('INVALID_ARGUMENT', `${path} cannot be bundled: ${messageOf(cause)}`, { cause });
  }
}

/** The SDK beside this file, from sources or from the build. */
function sdkPath(): string {
  const source = fileURLToPath(new URL('../../../sdk/index.ts', import.meta.url));
  return existsSync(source) ? source : fileURLToPath(new URL('../../../sdk/index.js', import.meta.url));
}

async function loadFlow(code: Uint8Array, path: string): Promise<FlowCode> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
  try {
    const file = join(folder, 'flow.mjs');
    await writeFile(file, code);
    const { default: exported } = (await import(pathToFileURL(file).href)) as { default?: unknown };
    if (isFlowCode(exported)) return exported;
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${path} must export a flow by default: export default flow('name').step(…)`,
    );
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError('INVALID_ARGUMENT', `${path} cannot be loaded: ${messageOf(cause)}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
