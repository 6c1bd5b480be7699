/** The whole platform in one process with its default settings, for cases that run flows on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleFlow, type FlowBundle } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';

/** A run from its request to its end, both as the log gives them. */
export interface EndedRun {
  readonly runId: string;
  readonly ms: number;
  readonly outcome: 'run-completed' | 'run-failed';
}

export interface FlowBench {
  readonly platform: Platform;
  readonly client: Client;
  readonly directory: string;
  /** Resolves with the run once it has ended. */
  ended(runId: string, timeoutMs?: number): Promise<EndedRun>;
  close(): Promise<void>;
}

export async function openFlowBench(only?: readonly string[]): Promise<FlowBench> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const configuration = resolveConfiguration({ flags: { directory, 'http.port': '0', 'log.level': 'silent' } });
  const platform = await startPlatform({ configuration, only });
  await platform.ready();
  const requestedMs = new Map<string, number>();
  const ends = new Map<string, EndedRun>();
  const follower = await platform.runtime.follow('runs', {
    onEvent: ({ type, data, timeMs }) => {
      if (type === 'run-requested') requestedMs.set(data.runId, timeMs);
      if (type === 'run-completed' || type === 'run-failed') {
        const ms = timeMs - (requestedMs.get(data.runId) ?? Number.NaN);
        ends.set(data.runId, { runId: data.runId, ms, outcome: type });
      }
    },
  });
  await follower.ready();
  return {
    platform,
    client: connect({ url: platform.url }),
    directory,
    ended: (runId, timeoutMs = 300_000) => eventually(`run ${runId} ends`, () => ends.get(runId), timeoutMs),
    close: async () => {
      await follower.close();
      await platform.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A flow beside this file, by its name. */
export function benchFlow(name: string): Promise<FlowBundle> {
  return bundleFlow(fileURLToPath(moduleForChild(`bench/flows/${name}`).url));
}
