import type { EncodingContext } from './output-encoder.ts';
import type { RecordDecoder } from './record-decoder.ts';
import type { EngineParts } from './runtime.ts';
import type { SnapshotKeeper } from './snapshots.ts';
import type { Ticks } from './ticks.ts';

/** What all tasks of a process share. */
export interface EngineContext {
  readonly parts: EngineParts;
  readonly encoding: EncodingContext;
  readonly decoder: RecordDecoder;
  readonly snapshots: SnapshotKeeper;
  readonly ticks: Ticks;
}
