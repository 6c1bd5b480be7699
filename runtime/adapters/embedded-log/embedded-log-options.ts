import { type Clock, systemClock } from '../../ports/clock.ts';
import { type LogFiles, systemFiles } from './log-files.ts';

export interface EmbeddedLogOptions {
  /** Where the log lies; created when missing. No other process may use it at the same time. */
  readonly directory: string;
  /**
   * What an acknowledged append survives. `process`: kill -9 of every process. `disk`: power loss too, by a sync of the files that
   * all appends of the time share.
   */
  readonly durability: 'process' | 'disk';
  /** False when the caller holds the lock of a directory above. @default true */
  readonly lock?: boolean | undefined;
  /** @default the file system */
  readonly files?: LogFiles | undefined;
  /** @default the system's clock */
  readonly clock?: Clock | undefined;
  /** A new file is begun when the newest one has reached this size. @default 67108864 */
  readonly segmentBytes?: number | undefined;
  /** Recent records of all partitions that are kept in memory, so that readers at the end need no files. @default 67108864 */
  readonly tailBytesMax?: number | undefined;
  /** Records of one delivery. @default 500 */
  readonly deliveryRecordsMax?: number | undefined;
  /** Bytes of one delivery; one record may be larger. @default 1048576 */
  readonly deliveryBytesMax?: number | undefined;
  /** Pause between two rounds of retention and compaction. @default 30000 */
  readonly cleanIntervalMs?: number | undefined;
  /** A compacted partition waits until this much was appended. @default 4194304 */
  readonly compactBytesMin?: number | undefined;
  /** How long compaction keeps a tombstone. @default 86400000 */
  readonly tombstoneMs?: number | undefined;
  /** Identity of the machine's boot: a power loss leaves another one than the death of a process. @default asks the system */
  readonly boot?: string | undefined;
  /** Hears of background work that failed and is tried again. */
  readonly onProblem: (error: unknown) => void;
}

export type ResolvedLogOptions = {
  readonly [K in keyof EmbeddedLogOptions]-?: Exclude<EmbeddedLogOptions[K], undefined>;
};

const mebibyte = 1024 * 1024;

/** Fills in all defaults but `boot`, which only the caller can ask for. */
export function resolveLogOptions(options: EmbeddedLogOptions, boot: string): ResolvedLogOptions {
  return {
    directory: options.directory,
    durability: options.durability,
    lock: options.lock ?? true,
    files: options.files ?? systemFiles,
    clock: options.clock ?? systemClock,
    segmentBytes: options.segmentBytes ?? 64 * mebibyte,
    tailBytesMax: options.tailBytesMax ?? 64 * mebibyte,
    deliveryRecordsMax: options.deliveryRecordsMax ?? 500,
    deliveryBytesMax: options.deliveryBytesMax ?? mebibyte,
    cleanIntervalMs: options.cleanIntervalMs ?? 30_000,
    compactBytesMin: options.compactBytesMin ?? 4 * mebibyte,
    tombstoneMs: options.tombstoneMs ?? 86_400_000,
    boot: options.boot ?? boot,
    onProblem: options.onProblem,
  };
}
