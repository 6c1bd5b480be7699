/**
 * Whether requests by topic are answered: a probe is a record of `prediction-requests` that goes the way of every request (append, group,
 * queue, batch, publication, commit) and ends as an operation instead of a prediction. That a consumer exists says less.
 */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, ServiceRecord, ServiceTask } from '../../runtime/engine/service.ts';
import { messageOf } from '../../runtime/ports/index.ts';
import { headerText } from '../../schemas/codec/open-events.ts';

const probeHeader = 'millrace-probe';
const topic = 'prediction-requests';

/** How long a probe may take: longer than a model server is busy with what came before it. */
const answerMsMax = 5_000;

export function isProbe({ raw }: ServiceRecord): boolean {
  return headerText(raw, probeHeader) !== undefined;
}

/** What is said of a probe. */
export function probeHeard({ raw }: ServiceRecord): IdentifiedOutput {
  const place = `${topic}/${raw.partition}`;
  const id = `probe-${raw.partition}-${raw.offset}`;
  const data = {
    operationId: id,
    action: 'requests.probe',
    object: place,
    actor: 'model-server',
    outcome: 'completed',
    detail: JSON.stringify({ offset: raw.offset }),
  };
  return { topic: 'operations', type: 'operation-recorded', key: place, data, id };
}

/** A batch of requests that is being answered. */
export interface Work {
  /** Outcomes so far. */
  outcomes: number;
  /** Deployments whose own limits hold requests of it back. */
  readonly heldBy: () => readonly string[];
}

export class RequestProbes {
  readonly #runtime: Runtime;
  readonly #owned = new Set<number>();
  /** Batches under way, by partition. */
  readonly #busy = new Map<number, Work>();
  readonly #waiting = new Map<string, () => void>();
  #underWay: Promise<readonly string[]> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  opened({ partition }: ServiceTask): void {
    this.#owned.add(partition.partition);
  }

  closed({ partition }: ServiceTask): void {
    this.#owned.delete(partition.partition);
  }

  begun(partition: number, work: Work): void {
    this.#busy.set(partition, work);
  }

  over(partition: number, work: Work): void {
    if (this.#busy.get(partition) === work) this.#busy.delete(partition);
  }

  /** Why a partition is behind although all is well with it: its requests wait for limits of their deployments; '' when none does. */
  get held(): string {
    const names = new Set([...this.#busy.values()].flatMap(({ heldBy }) => heldBy()));
    return [...names]
      .sort()
      .map((name) => `'${name}'`)
      .join(', ');
  }

  /** Partitions whose requests come to this process. */
  get partitions(): number {
    return this.#owned.size;
  }

  /** The position behind these probes is committed. */
  answered(probes: readonly ServiceRecord[]): void {
    for (const { raw } of probes) this.#waiting.get(headerText(raw, probeHeader) ?? '')?.();
  }

  /** Probes every partition of this process at once: what is wrong with each that does not answer. Calls at once share one round. */
  check(): Promise<readonly string[]> {
    this.#underWay ??= this.#checkAll().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** Whether what lay in front of a probe has got on since, or waits because its deployments want it to. */
  #moves(partition: number, since: Work | undefined, outcomes: number | undefined): boolean {
    const work = this.#busy.get(partition);
    if (work === undefined) return false;
    return work !== since || work.outcomes !== outcomes || work.heldBy().length > 0;
  }

  async #checkAll(): Promise<readonly string[]> {
    const problems = await Promise.all(
      [...this.#owned].sort((a, b) => a - b).map((partition) => this.#check(partition)),
    );
    return problems.filter((problem) => problem !== undefined);
  }

  async #check(partition: number): Promise<string | undefined> {
    const { log, clock, ids } = this.#runtime.parts;
    const id = ids.next();
    const ahead = this.#busy.get(partition);
    const outcomes = ahead?.outcomes;
    // It would lie behind them for as long as their deployments want it to: the partition is read, and that is all there is to know.
    if (ahead !== undefined && ahead.heldBy().length > 0) return undefined;
    try {
      const heard = new Promise<string | undefined>((resolve) => {
        const stop = clock.after(answerMsMax, () =>
          // One that moved to another process meanwhile is no longer this one's concern, and one that answers others will come to it.
          resolve(
            this.#owned.has(partition) && !this.#moves(partition, ahead, outcomes)
              ? `a probe of ${topic}/${partition} was not answered within ${answerMsMax / 1_000} s`
              : undefined,
          ),
        );
        this.#waiting.set(id, () => {
          stop();
          resolve(undefined);
        });
      });
      await log.append([
        {
          topic: this.#runtime.topic(topic),
          partition,
          key: null,
          value: Buffer.from('{}'),
          headers: { [probeHeader]: id },
        },
      ]);
      return await heard;
    } catch (error) {
      return `a probe of ${topic}/${partition} was not written: ${messageOf(error)}`;
    } finally {
      this.#waiting.delete(id);
    }
  }
}
