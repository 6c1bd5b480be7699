/** What a run says while it runs and afterwards. */
import { messageOf, MillraceError } from '../../runtime/ports/errors.ts';
import type { ArtifactRef, TaskWork } from '../../runtime/ports/task-executor.ts';
import type { EndOfLines, StepLine } from '../../schemas/api/runs.ts';
import type { LogStream } from '../../schemas/codec/log-line.ts';
import { errorOf, type HttpCaller, parseJson, path, query } from './http-caller.ts';
import { subscribe, type SubscribeOptions, type Subscription, type TopicEvent } from './subscription.ts';

export interface LineFilter {
  /** Step or task. @default all */
  readonly of?: string | undefined;
  /** @default all */
  readonly attempt?: number | undefined;
  /** `trace`: why steps failed, with all frames. @default all but that */
  readonly stream?: LogStream | undefined;
  /** Text that a line must hold, whatever its case. */
  readonly grep?: string | undefined;
  /** Goes on with what comes until the run has ended. @default false */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Lines and, with `ends`, where those of an attempt end. Rejects with UNAVAILABLE when they break off before their end. */
export async function* readLines(
  caller: HttpCaller,
  runId: string,
  { signal, follow, ...filter }: LineFilter,
  ends: boolean,
): AsyncGenerator<StepLine | EndOfLines> {
  const flags = { follow: follow === true ? 'true' : undefined, ends: ends ? 'true' : undefined };
  const call = {
    method: 'GET',
    path: path`/api/v1/runs/${runId}/logs` + query({ ...filter, ...flags }),
    headers: { accept: 'application/x-ndjson' },
    signal,
  } as const;
  const response = await caller.open(call);
  if (!response.ok) throw errorOf(response.status, parseJson(await response.text()), call);
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of wholeBody(response, runId)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as StepLine | EndOfLines;
  }
}

async function* wholeBody({ body }: Response, runId: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body ?? []) yield chunk as Uint8Array;
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'AbortError') throw cause;
    throw new MillraceError('UNAVAILABLE', `lines of run ${runId} broke off (${messageOf(cause)}): ask again`, {
      cause,
    });
  }
}

/** What a task worked on: bytes travel as base64. */
export function withBytes(answer: unknown): TaskWork {
  const work = answer as TaskWork;
  const revived = ({ inline = null, ...artifact }: ArtifactRef): ArtifactRef =>
    inline === null ? artifact : { ...artifact, inline: Buffer.from(inline as unknown as string, 'base64') };
  return {
    ...work,
    inputs: work.inputs.map(({ branch, artifacts }) => ({ branch, artifacts: artifacts.map(revived) })),
    checkpoints: (work.checkpoints ?? []).map(revived),
  };
}

/** Events of one run from its beginning on; heartbeats are left out. */
export function followRun(
  caller: HttpCaller,
  runId: string,
  handler: (event: TopicEvent<'runs'>) => void | Promise<void>,
  options: Pick<SubscribeOptions, 'onBroken' | 'retryMsMax'> = {},
): Subscription {
  return subscribe<'runs'>(caller, path`/api/v1/runs/${runId}/events`, handler, options);
}

export interface CardSummary {
  readonly taskId: string;
  readonly step: string;
  readonly attempt: number;
  readonly card: string;
  /** Its attempt has not ended: it may change. */
  readonly live: boolean;
}

export interface CardChoice {
  /** @default the last */
  readonly card?: string | undefined;
  /** @default the last */
  readonly attempt?: string | undefined;
  /** @default 'html' */
  readonly format?: 'html' | 'json' | undefined;
}

/** A card's text: a whole page, or its document. */
export async function readCard(caller: HttpCaller, runId: string, task: string, choice: CardChoice): Promise<string> {
  const { card, attempt, format = 'html' } = choice;
  const call = {
    method: 'GET',
    path: path`/api/v1/runs/${runId}/cards/${task}` + query({ card, attempt, format }),
  } as const;
  const response = await caller.open(call);
  const text = await response.text();
  if (response.ok) return text;
  throw errorOf(response.status, parseJson(text), call);
}
