import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FlowBundle } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect } from '../../sdk/index.ts';
import { startPlatform } from '../../services/all-in-one/platform.ts';

/** A platform of its own, in which flows with Python steps run. */
export interface PythonPlatform {
  readonly client: Client;
  /** Runs a flow to its end; its artifacts by name, of the tasks in their order. */
  run(bundle: FlowBundle, parameters?: object): Promise<RunOutcome>;
  close(): Promise<void>;
}

export interface RunOutcome {
  readonly status: string;
  readonly failure: string | null;
  readonly artifacts: readonly { readonly name: string; readonly codec: string; readonly hash: string }[];
  /** Bytes of an artifact. */
  bytes(name: string): Promise<Buffer>;
}

interface ShownRun {
  readonly status: string;
  readonly failure: string | null;
  readonly endedAt: number | null;
  readonly tasks: readonly { readonly artifacts: RunOutcome['artifacts'] }[];
}

export async function openPythonPlatform(): Promise<PythonPlatform> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-python-'));
  const configuration = resolveConfiguration({ flags: { directory, 'http.port': '0' }, environment: {} });
  const platform = await startPlatform({ configuration });
  await platform.ready();
  const client = connect({ url: platform.url });
  return {
    client,
    run: async (bundle, parameters = {}) => {
      const { runId } = await client.flows.run(bundle, parameters);
      const run = await eventually(
        `run ${runId} has ended`,
        async () => {
          const shown = (await client.runs.show(runId).catch(() => undefined)) as unknown as ShownRun | undefined;
          return shown !== undefined && shown.endedAt !== null ? shown : undefined;
        },
        420_000,
      );
      const artifacts = run.tasks.flatMap((task) => task.artifacts);
      const bytes = async (name: string): Promise<Buffer> => {
        // Several steps may leave one name: the last is that of the run.
        const found = artifacts.findLast((artifact) => artifact.name === name);
        if (found === undefined) throw new Error(`the run left no artifact '${name}': ${run.failure}`);
        return Buffer.from(await client.artifacts.bytes(found.hash));
      };
      return { status: run.status, failure: run.failure, artifacts, bytes };
    },
    close: async () => {
      await platform.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
