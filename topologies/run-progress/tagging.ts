/** Tags of runs: those of users change at any time, also after the end of the run; those of the platform never do. */
import type { RunRequested, RunTagsRequested } from '../../schemas/events.ts';
import { tagProblems } from '../../schemas/flow-policy.ts';
import type { TagState } from './state.ts';
import type { Work } from './work.ts';

/** A run without tags keeps nothing. */
export function openTags(work: Work, { tags, systemTags = [] }: RunRequested): void {
  if (tags.length > 0 || systemTags.length > 0)
    work.tags = { user: [...new Set(tags)], system: systemTags, requestedAt: work.timeMs };
}

/** Removes, then adds; one name that may not change, and all stays as it is. */
export function changeTags(work: Work, { requestId, actor, add, remove }: RunTagsRequested): void {
  const { run, runId } = work;
  const before: TagState = work.tags ?? { user: [], system: [], requestedAt: run?.startedAt ?? work.timeMs };
  const kept = before.user.filter((tag) => !remove.includes(tag));
  const tags = [...new Set([...kept, ...add.filter((tag) => !before.system.includes(tag))])];
  const reason = run === undefined ? `there is no run '${runId}'` : problemOf(before, tags, remove);
  if (reason !== undefined) {
    work.count('tagsRefused');
    work.emit({ topic: 'runs', type: 'run-tags-refused', key: runId, data: { runId, requestId, reason } });
    return;
  }
  work.tags = { ...before, user: tags };
  const added = tags.filter((tag) => !before.user.includes(tag));
  const removed = before.user.filter((tag) => !tags.includes(tag));
  const { requestedAt } = before;
  const data = { runId, requestId, actor, tags, added, removed, requestedAt };
  work.emit({ topic: 'runs', type: 'run-tags-changed', key: runId, data });
}

function problemOf({ system }: TagState, tags: readonly string[], remove: readonly string[]): string | undefined {
  const fixed = remove.filter((tag) => system.includes(tag));
  if (fixed.length > 0) return `system tags cannot be removed: ${fixed.map((tag) => `'${tag}'`).join(', ')}`;
  return tagProblems(tags).join('; ') || undefined;
}
