/**
 * What is under way while processes die: applications that stream requests, tell the truth for each answer, trigger runs, and now and
 * then write what nobody can read. They know Kafka and the documented formats only, remember what was acknowledged to them, and ask again under the same id when they do not know.
 */
import type { Running } from '../../../../runtime/engine/runtime.ts';
import { hasCode } from '../../../../runtime/ports/errors.ts';
import type { OutgoingRecord } from '../../../../runtime/ports/log.ts';
import { eventually } from '../../../../runtime/testing/test-runtime.ts';
import { partitionOf } from '../../../../schemas/partitioner.ts';
import type { Platform } from '../../../../services/all-in-one/platform.ts';

const unansweredMax = 400;
const requestsAtOnce = 5;
const everyMs = 300;

export class Applications {
  readonly requests: string[] = [];
  /** Client ids of the requests whose answers were judged. */
  readonly feedback: string[] = [];
  readonly runs: number[] = [];
  readonly poison: string[] = [];
  readonly answers = new Map<string, string>();
  /** Prediction ids. */
  readonly rewarded = new Set<string>();
  /** How runs ended, by number. */
  readonly ended = new Map<number, string>();
  /** Who started the second step last, by number of the run. */
  readonly holders = new Map<number, string>();
  /** Numbers of runs of which an attempt was lost. */
  readonly retried = new Set<number>();
  readonly #platform: Platform;
  readonly #replyTopic: string;
  readonly #followers: Running[] = [];
  readonly #numberOf = new Map<string, number>();
  readonly #toTell: [clientId: string, predictionId: string][] = [];
  #failure: unknown;
  #streaming: Promise<unknown> = Promise.resolve();
  #stopped = false;

  private constructor(platform: Platform, replyTopic: string) {
    this.#platform = platform;
    this.#replyTopic = replyTopic;
  }

  /** `platform` runs nothing itself. */
  static async connect(platform: Platform, replyTopic: string): Promise<Applications> {
    const applications = new Applications(platform, replyTopic);
    await applications.#follow();
    return applications;
  }

  /** Streams until it is stopped, and keeps some runs open. */
  start(): void {
    this.#streaming = this.#stream().catch((error: unknown) => (this.#failure = error));
  }

  /** A run whose slow step lasts so long, and until a file is there. */
  async trigger(pauseMs: number, until = ''): Promise<number> {
    const number = this.runs.length;
    this.runs.push(number);
    const headers = { ce_specversion: '1.0', ce_id: `trigger-${number}`, ce_source: '/kill', ce_type: 'kill-test' };
    await this.#say('triggers', [[`trigger-${number}`, { number, pauseMs, until }, headers]]);
    return number;
  }

  /** Waits until so many more answers, rewards and runs have come than there are now. */
  async progress(answers: number, runs: number): Promise<void> {
    const [answered, rewarded, ended] = [this.answers.size, this.rewarded.size, this.ended.size];
    await eventually(
      `${answers} more answers and rewards and ${runs} more runs; there are ${this.#standing()}`,
      () => {
        this.#throwFailure();
        return (
          this.answers.size >= answered + answers &&
          this.rewarded.size >= rewarded + answers &&
          this.ended.size >= ended + runs
        );
      },
      240_000,
    );
  }

  /** Stops asking and waits until all that was asked has come. */
  async finish(): Promise<void> {
    this.#stopped = true;
    await this.#streaming;
    this.#throwFailure();
    const all = () =>
      this.requests.every((id) => this.answers.has(id)) &&
      this.feedback.length === this.requests.length &&
      this.feedback.every((id) => this.rewarded.has(this.answers.get(id) ?? '')) &&
      this.ended.size >= this.runs.length;
    try {
      await eventually('all that was asked', async () => (await this.#tell(), all()), 400_000);
    } catch {
      throw new Error(`not all that was asked has come: ${this.#standing()}`);
    }
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await this.#streaming;
    for (const follower of this.#followers) await follower.close();
  }

  #standing(): string {
    const { requests, answers, feedback, rewarded, runs, ended } = this;
    return `${answers.size} of ${requests.length} answers, ${rewarded.size} of ${feedback.length} rewards, ${ended.size} of ${runs.length} runs`;
  }

  /** Waits for what its runs come to; fails at once when the stream of work broke. */
  async until<T>(what: string, condition: () => T): Promise<NonNullable<T>> {
    const looked = (): T => {
      this.#throwFailure();
      return condition();
    };
    return await eventually(what, looked, 150_000);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw new Error('the stream of work broke', { cause: this.#failure });
  }

  async #stream(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      if (this.requests.length - this.answers.size < unansweredMax) await this.#ask();
      await this.#tell();
      if (turn % 5 === 0) await this.#poison();
      if (this.runs.length - this.ended.size < 3) await this.trigger(0);
      await new Promise<void>((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async #ask(): Promise<void> {
    const from = this.requests.length;
    const ids = Array.from({ length: requestsAtOnce }, (_, n) => `request-${from + n}`);
    const headers = { 'millrace-deployment': 'iris', kafka_replyTopic: this.#replyTopic };
    await this.#say(
      'prediction-requests',
      ids.map((id, n) => {
        const data = [5 + ((from + n) % 7) / 10, 3.4, 1.5 + ((from + n) % 5), 0.2];
        return [id, { id, inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data }] }, headers];
      }),
    );
    this.requests.push(...ids);
  }

  /** On each open topic, between good records. */
  async #poison(): Promise<void> {
    for (const topic of openTopics) {
      const text = `poison ${this.poison.length} on ${topic}`;
      await this.#append(topic, [{ key: text, value: Buffer.from(text), headers: {} }]);
      this.poison.push(text);
    }
  }

  /** A reward for each answer; each tenth is told twice. */
  async #tell(): Promise<void> {
    const told = this.#toTell.splice(0, 200);
    if (told.length === 0) return;
    const lines = told.map(([clientId, predictionId]): Line => {
      const id = `feedback-${clientId}`;
      return [predictionId, { predictionId, reward: 1, id }, {}];
    });
    await this.#say('feedback', [...lines, ...lines.filter((_, n) => n % 10 === 0)]);
    this.feedback.push(...told.map(([clientId]) => clientId));
  }

  async #say(topic: OpenTopic, lines: readonly Line[]): Promise<void> {
    const json = lines.map(([key, value, headers]) => ({ key, value: Buffer.from(JSON.stringify(value)), headers }));
    await this.#append(topic, json);
  }

  /** Until it is acknowledged: the same again. */
  async #append(
    topic: OpenTopic,
    given: readonly (Pick<OutgoingRecord, 'value' | 'headers'> & { readonly key: string })[],
  ): Promise<void> {
    const { runtime } = this.#platform;
    const partitions = runtime.partitions(topic);
    const records = given.map(
      (record): OutgoingRecord => ({
        ...record,
        topic: runtime.topic(topic),
        partition: partitionOf(record.key, partitions),
      }),
    );
    for (;;) {
      try {
        await runtime.parts.log.append(records);
        return;
      } catch (error) {
        if (!hasCode(error, 'UNKNOWN_OUTCOME', 'UNAVAILABLE', 'TIMEOUT')) throw error;
      }
    }
  }

  async #follow(): Promise<void> {
    const { runtime } = this.#platform;
    const number = (runId: string): number => this.#numberOf.get(runId) ?? -1;
    this.#followers.push(
      await runtime.follow('predictions', {
        from: 'earliest',
        onEvent: ({ type, data }) => {
          if (type !== 'prediction-completed' || data.clientId === null || this.answers.has(data.clientId)) return;
          this.answers.set(data.clientId, data.predictionId);
          this.#toTell.push([data.clientId, data.predictionId]);
        },
      }),
      await runtime.follow('rewards', {
        from: 'earliest',
        onEvent: ({ type, data }) => void (type === 'reward-recorded' && this.rewarded.add(data.predictionId)),
      }),
      await runtime.follow('runs', {
        from: 'earliest',
        onEvent: ({ type, data }) => {
          if (type === 'run-requested')
            this.#numberOf.set(data.runId, (JSON.parse(data.parameters) as { number: number }).number);
          if (type === 'run-completed' || type === 'run-failed') this.ended.set(number(data.runId), type);
          if (type === 'task-started' && data.taskId === 'second') this.holders.set(number(data.runId), data.worker);
          if (type === 'task-retried') this.retried.add(number(data.runId));
        },
      }),
    );
    await Promise.all(this.#followers.map((follower) => follower.ready()));
  }
}

const openTopics = ['triggers', 'prediction-requests', 'feedback'] as const;
type OpenTopic = (typeof openTopics)[number];
type Line = readonly [key: string, value: object, headers: Readonly<Record<string, string>>];
