/** The last lines of a run's steps, which come after its end. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RunProgress } from '../../cli/run/run-progress.ts';
import type { RunView } from '../../cli/run/run-views.ts';
import { watchRun } from '../../cli/run/watch-run.ts';
import type { Client } from '../../sdk/client/index.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const attempt = { taskId: 'fit', attempt: 1 };

/** A run that has ended with a step that told no end; its lines come at these times, then its end or nothing. */
function clientWith(linesAtMs: readonly number[], endsAtMs = Infinity): Client {
  async function* lines(_: string, { signal }: { signal: AbortSignal }) {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    for (const [line, atMs] of linesAtMs.entries()) {
      await Promise.race([aborted, new Promise((resolve) => setTimeout(resolve, atMs - performance.now()))]);
      if (signal.aborted) return;
      yield { ...attempt, step: 'fit', line, stream: 'out', at: 0, text: `at ${atMs}` };
    }
    if (endsAtMs === Infinity) await aborted;
    else yield { ...attempt, step: 'fit', ended: 'completed' };
  }
  const follow = (_: string, onEvent: (event: unknown) => void) => {
    const { taskId, attempt: number } = attempt;
    const token = { dispatch: 1, incarnation: 1, attempt: number };
    onEvent({ type: 'task-started', timeMs: 0, data: { taskId, token } });
    onEvent({ type: 'run-completed', timeMs: 1, data: {} });
    return { done: new Promise(() => undefined), close: () => Promise.resolve() };
  };
  return { runs: { follow, logsWithEnds: lines } } as unknown as Client;
}

async function watched(client: Client, forMs: number): Promise<{ lines: string[]; notes: string[] }> {
  const lines: string[] = [];
  const notes: string[] = [];
  const view: RunView = {
    event: () => undefined,
    line: ({ text }) => void lines.push(text),
    note: (text) => void notes.push(text),
    close: () => undefined,
  };
  const start = performance.now();
  const end = watchRun(client, 'run-1', new RunProgress(undefined), view);
  await vi.advanceTimersByTimeAsync(forMs - (performance.now() - start));
  await end;
  return { lines, notes };
}

it('are waited for as long as they come', async () => {
  const start = performance.now();
  const at = [2_000, 4_500, 7_000].map((ms) => start + ms);
  const { lines, notes } = await watched(clientWith(at, start + 7_000), 8_000);
  expect(lines).toHaveLength(3);
  expect(notes).toEqual([]);
});

it('that do not come are said to be missing, and where they will be', async () => {
  const start = performance.now();
  const { lines, notes } = await watched(clientWith([start + 1_000, start + 60_000]), 5_000);
  expect(lines).toHaveLength(1);
  expect(notes).toEqual(['lines of its steps may be missing here: millrace logs run-1']);
});

it('of a step that writes on for ever are not waited for', async () => {
  const start = performance.now();
  const at = Array.from({ length: 100 }, (_, i) => start + 1_000 * (i + 1));
  const { lines, notes } = await watched(clientWith(at), 40_000);
  expect(lines.length).toBeLessThan(40);
  expect(notes).toHaveLength(1);
});
