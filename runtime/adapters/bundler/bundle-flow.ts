/** A flow file as one ES module, and what flow it holds. Files that its programs need follow the module. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { BlobStore } from '../../ports/blob-store.ts';
import { MillraceError } from '../../ports/errors.ts';
import { describeBundle, type FlowDescription } from '../process-executor/describe-bundle.ts';
import { StepFiles } from '../process-executor/step-files.ts';
import { buildModule } from './build-module.ts';
import { withFiles } from './bundle-files.ts';

export interface FlowBundle extends FlowDescription {
  readonly code: Uint8Array;
}

/** Bundles a flow file and reads its graph. INVALID_ARGUMENT names file, line and reason. */
export async function bundleFlow(file: string): Promise<FlowBundle> {
  const path = resolve(file);
  if (!existsSync(path)) throw new MillraceError('INVALID_ARGUMENT', `there is no file '${file}'`);
  return await bundleModule(await buildModule(path), dirname(path), file);
}

/** A module that is whole but for its files, which lie in `root`. `shown` names it in errors. */
export async function bundleModule(module: Uint8Array, root: string, shown: string): Promise<FlowBundle> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-describe-'));
  try {
    const files = await StepFiles.open(folder, noBlobs);
    const described = await describeBundle(await files.writeBundle('flow', module));
    return { ...described, code: await withFiles(module, root, described.files) };
  } catch (error) {
    if (error instanceof MillraceError)
      throw new MillraceError(error.code, `${shown}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const noBlobs = {} as BlobStore;
