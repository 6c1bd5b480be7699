import { join } from 'node:path';
import { findBatch, parseBatch, parseHeader } from './batch.ts';
import { type LogFiles, readUpTo } from './log-files.ts';
import { corrupt, parseSegmentName, Segment } from './segment.ts';

export interface RecoveredPartition {
  readonly segments: Segment[];
  readonly end: number;
}

export interface RecoveryOptions {
  readonly files: LogFiles;
  /** The machine may have stopped under the log: what was written last may have holes, and only what was synced was promised. */
  readonly powerLost: boolean;
  /** End and size of the newest segment as a clean close left them. */
  readonly clean?: { readonly baseOffset: number; readonly sizeBytes: number; readonly end: number } | undefined;
}

/** Finds the segments of a partition, takes away what a crash left half done, and cuts a torn end. */
export function recoverPartition(directory: string, options: RecoveryOptions): RecoveredPartition {
  const { files } = options;
  const found = files.list(directory).flatMap((name) => {
    const parsed = parseSegmentName(directory, name);
    if (parsed === undefined) files.remove(join(directory, name));
    return parsed ?? [];
  });
  const compacted = found.filter(({ compactedEnd }) => compactedEnd !== undefined);
  // A compacted file takes the place of all others within its range: a crash came before they were removed.
  const kept = found.filter((one) => {
    const replaced = compacted.some(
      (other) =>
        other !== one &&
        one.baseOffset >= other.baseOffset &&
        (one.compactedEnd ?? one.baseOffset + 1) <= (other.compactedEnd ?? 0),
    );
    if (replaced) files.remove(one.path);
    return !replaced;
  });
  kept.sort((a, b) => a.baseOffset - b.baseOffset);
  const segments = kept.map(({ path, baseOffset }) => new Segment(files, path, baseOffset));
  for (const segment of segments) segment.sizeBytes = files.sizeOf(segment.openForReading());
  const newest = segments.at(-1);
  if (newest === undefined) return { segments, end: 0 };
  if (options.powerLost) dropAfterLoss(segments, options);
  for (const segment of segments.slice(0, -1)) segment.closeFile();
  const last = segments.at(-1) ?? newest;
  const end = kept.find(({ path }) => path === last.path)?.compactedEnd ?? recoverEnd(last, options);
  return { segments, end };
}

/** The file before the newest one may not have been synced yet when the power went; older ones, and compacted ones, were. */
function dropAfterLoss(segments: Segment[], options: RecoveryOptions): void {
  const [previous, newest] = segments.slice(-2);
  if (previous === undefined || newest === undefined || previous.path.endsWith('.compacted')) return;
  if (recoverEnd(previous, options) === newest.baseOffset) return;
  newest.closeFile();
  options.files.remove(newest.path);
  segments.pop();
}

function recoverEnd(segment: Segment, { files, powerLost, clean }: RecoveryOptions): number {
  if (clean?.baseOffset === segment.baseOffset && clean.sizeBytes === segment.sizeBytes) return clean.end;
  const file = segment.openForReading();
  const size = segment.sizeBytes;
  let end = segment.baseOffset;
  let position = 0;
  let chunkAt = 0;
  let chunk: Buffer = Buffer.alloc(0);
  while (position < size) {
    let batch = parseBatch(chunk, position - chunkAt);
    if (batch === undefined) {
      const wanted = parseHeader(chunk, position - chunkAt)?.lengthBytes ?? 0;
      chunkAt = position;
      chunk = readUpTo(files, file, position, Math.min(size - position, Math.max(1024 * 1024, wanted)));
      batch = parseBatch(chunk, 0);
      const header = parseHeader(chunk, 0);
      if (
        batch === undefined &&
        header !== undefined &&
        header.lengthBytes > chunk.length &&
        header.lengthBytes <= size - position
      ) {
        chunk = readUpTo(files, file, position, header.lengthBytes);
        batch = parseBatch(chunk, 0);
      }
    }
    if (batch === undefined || batch.baseOffset < end) {
      if (!powerLost && findBatch(readUpTo(files, file, position, size - position), 1) >= 0)
        throw corrupt(segment.path, position);
      cut(segment, files, position);
      break;
    }
    end = batch.lastOffset + 1;
    position += batch.bytes.length;
  }
  return end;
}

function cut(segment: Segment, files: LogFiles, position: number): void {
  const file = segment.openForWriting();
  files.truncate(file, position);
  files.syncNow(file);
  segment.shrank(position);
}
