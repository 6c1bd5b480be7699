import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../../runtime/adapters/embedded-log/embedded-log.ts';
import type { EmbeddedLogOptions } from '../../../runtime/adapters/embedded-log/embedded-log-options.ts';
import type { Clock } from '../../../runtime/ports/clock.ts';
import type { Log } from '../../../runtime/ports/log.ts';
import type { MutantWorld } from './altered-log.ts';
import { killWhileAppending } from './kill-while-appending.ts';
import type { LogHarness } from './log-harness.ts';
import { mutants } from './mutants.ts';
import { compiledFile } from '../../compiled.ts';

const adapterModule = compiledFile(new URL('../../../runtime/adapters/embedded-log/embedded-log.ts', import.meta.url));

export interface EmbeddedHarnessOptions extends Partial<Omit<EmbeddedLogOptions, 'directory' | 'clock'>> {
  readonly deadlineMs?: number;
  readonly mutant?: string;
}

/** An embedded log in a folder of its own, on a clock that `clean` moves. */
export async function createEmbeddedHarness({
  deadlineMs = 20_000,
  mutant = '',
  ...options
}: EmbeddedHarnessOptions = {}): Promise<LogHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-log-'));
  const clock = createHandClock();
  const world: MutantWorld = { connectionsBroken: false, wasClosed: false };
  const fixed: EmbeddedLogOptions = {
    durability: 'process',
    compactBytesMin: 0,
    cleanIntervalMs: 1,
    onProblem: (error) => console.error(error),
    ...options,
    directory,
  };
  const opened: Log[] = [];
  const open = async (): Promise<Log> => {
    const log = await openEmbeddedLog({ ...fixed, clock });
    opened.push(log);
    return mutants[mutant]?.(log, world) ?? log;
  };
  let log = await open();
  return {
    get log() {
      return log;
    },
    deadlineMs,
    reopen: async () => {
      await log.close().catch(() => undefined);
      for (const one of opened) await one.close();
      log = await open();
      return log;
    },
    killWhileAppending: async (topic, callsMin) => {
      await log.close();
      const adapter = {
        module: adapterModule,
        open: 'openEmbeddedLog',
        options: { ...fixed, files: undefined },
        mutant,
      };
      const told = await killWhileAppending(adapter, topic, callsMin);
      log = await open();
      return told;
    },
    clean: async (_, laterMs) => clock.advance(laterMs + 1),
    dropConnections: async () => {
      world.connectionsBroken = true;
    },
    close: async () => {
      for (const one of opened) await one.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** The system's time plus what it was moved by; what is due is called when it is moved. */
export function createHandClock(): Clock & { advance(ms: number): void } {
  let movedMs = 0;
  const waiting = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  const now = (): number => Date.now() + movedMs;
  return {
    now,
    after: (delayMs, callback) => {
      const one = { atMs: now() + delayMs, callback };
      waiting.add(one);
      return () => void waiting.delete(one);
    },
    advance: (ms) => {
      movedMs += ms;
      for (const one of [...waiting]) {
        if (one.atMs > now() || !waiting.delete(one)) continue;
        one.callback();
      }
    },
  };
}
