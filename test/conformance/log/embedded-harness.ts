import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { openEmbeddedLog } from '../../../runtime/adapters/embedded-log/embedded-log.ts';
import type { EmbeddedLogOptions } from '../../../runtime/adapters/embedded-log/embedded-log-options.ts';
import { connectLog } from '../../../runtime/adapters/thread-log/connect-log.ts';
import { serveLog } from '../../../runtime/adapters/thread-log/serve-log.ts';
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
  /** The log is used through a port, as threads do that do not have it themselves. */
  readonly lent?: boolean;
}

/** An embedded log in a folder of its own, on a clock that `clean` moves. */
export async function createEmbeddedHarness({
  deadlineMs = 20_000,
  mutant = '',
  lent = false,
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
    const own = await openEmbeddedLog({ ...fixed, clock });
    const log = lent ? lentLog(own) : own;
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

/** Closing what was lent closes the log here, too. */
function lentLog(own: Log): Log {
  const { port1, port2 } = new MessageChannel();
  const served = serveLog(own, port1);
  const log = connectLog(port2);
  const close = log.close.bind(log);
  return Object.assign(log, {
    close: async () => {
      await close();
      await served.close();
      await own.close();
    },
  });
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
