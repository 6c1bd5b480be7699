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
  return raw.headers[probeHeader] !== undefined;
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

export class RequestProbes {
  readonly #runtime: Runtime;
  readonly #owned = new Set<number>();
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

  async #checkAll(): Promise<readonly string[]> {
    const problems = await Promise.all(
      [...this.#owned].sort((a, b) => a - b).map((partition) => this.#check(partition)),
    );
    return problems.filter((problem) => problem !== undefined);
  }

  async #check(partition: number): Promise<string | undefined> {
    const { log, clock, ids } = this.#runtime.parts;
    const id = ids.next();
    try {
      const heard = new Promise<string | undefined>((resolve) => {
        const stop = clock.after(answerMsMax, () =>
          // One that moved to another process meanwhile is no longer this one's concern.
          resolve(
            this.#owned.has(partition)
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
