/**
 * The ModelRuntime suite on models of the flavor python_function that unmodified mlflow saved, each in an environment built from its own
 * requirements.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { createMlflowRuntime, type MlflowRuntime } from '../../../runtime/adapters/mlflow-model/mlflow-runtime.ts';
import type { BlobStore, LoadedModel } from '../../../runtime/ports/index.ts';
import { floats, oneRow, oneRowAnswer } from '../../conformance/model-runtime/fixture.ts';
import { modelRuntimeConformance } from '../../conformance/model-runtime/model-runtime-suite.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('./python_models.py', import.meta.url));
const tools = process.env['MILLRACE_TOOLS'] ?? join(homedir(), '.cache', 'millrace');

const environments = join(tools, 'model-environments');

let directory: string;
let python: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-python-models-'));
  python = process.env['MILLRACE_TEST_MLFLOW_PYTHON'] ?? (await makePython());
}, 600_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Made once and kept. */
async function makePython(): Promise<string> {
  const folder = join(tools, 'mlflow-models-3.17.2');
  const program = join(folder, 'bin', 'python');
  if (!existsSync(join(folder, 'bin', 'mlflow'))) {
    await run('python3', ['-m', 'venv', folder]);
    await run(program, ['-m', 'pip', 'install', '--quiet', 'mlflow==3.17.2', 'scikit-learn', 'pandas', 'xgboost-cpu']);
  }
  return program;
}

describe('the flavor python_function', () => {
  let blobs: BlobStore;
  let runtime: MlflowRuntime;
  const listings = new Map<string, Uint8Array>();
  beforeAll(async () => {
    const folder = join(directory, 'saved');
    await run(python, [script, folder]);
    blobs = await openDirectoryBlobStore({ directory: join(directory, 'blobs'), durability: 'process' });
    for (const name of await readdir(folder)) listings.set(name, await listingOf(join(folder, name), blobs));
    runtime = createMlflowRuntime({
      blobs,
      directory: join(directory, 'models'),
      environmentsDirectory: environments,
    });
    await (await runtime.load(listings.get('dtype-int64')!)).close();
  }, 600_000);
  /** A process takes seconds to start: only those cases have their own that end it. */
  const borrowed = new Map<string, Promise<LoadedModel>>();
  const borrow = (name: string): Promise<LoadedModel> => {
    const model = borrowed.get(name) ?? runtime.load(listings.get(name)!);
    borrowed.set(name, model);
    return model;
  };
  afterAll(async () => {
    await Promise.all([...borrowed.values()].map(async (model) => (await model).close()));
    await blobs.close();
  });

  const listing = (files: readonly object[], source = 'runs:/x/model') =>
    Buffer.from(JSON.stringify({ source, files }));
  const hash = 'a'.repeat(64);
  modelRuntimeConformance('MLflow python_function', () => ({
    load: (name) => runtime.load(listings.get(name)!),
    borrow,
    loadRefused: (bytes) => runtime.load(bytes),
    refusedFiles: [
      { bytes: Buffer.from('{"source"'), says: /no list of a model/ },
      { bytes: listing([], 's3://bucket/model'), says: /not here but at s3:\/\/bucket\/model/ },
      { bytes: listing([{ path: 'model.pkl', hash, sizeBytes: 1 }]), says: /no MLmodel among its 1 files/ },
      { bytes: listing([{ path: '../MLmodel', hash, sizeBytes: 1 }]), says: /outside of the model/ },
    ],
  }));

  it('goes on after its process was killed, also in the middle of calls', async () => {
    const model = await runtime.load(listings.get('two-in-four-out')!);
    const calls = Array.from({ length: 50 }, (_, index) =>
      model.run([floats('a', [1, 3], index, 0, 0), floats('b', [1, 3], 0, 0, 1)]),
    );
    await calls[0];
    process.kill(model.pid()!, 'SIGKILL');
    const totals = (await Promise.all(calls)).map((answer) => answer.find(({ name }) => name === 'total')?.data[0]);
    expect(totals).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(await model.run(oneRow)).toEqual(oneRowAnswer);
    await model.close();
    expect(model.pid()).toBeUndefined();
  }, 120_000);
});

async function listingOf(folder: string, blobs: BlobStore): Promise<Uint8Array> {
  const files: object[] = [];
  for (const entry of await readdir(folder, { recursive: true })) {
    const path = join(folder, entry);
    if (!(await stat(path)).isFile()) continue;
    const put = await blobs.put(await readFile(path));
    files.push({ path: relative(folder, path), hash: put.hash, sizeBytes: put.sizeBytes });
  }
  return Buffer.from(JSON.stringify({ source: folder, files }));
}
