/**
 * Past runs as objects: flow, run, step, task, artifact, each with what lies inside it. What is small comes with the lists; bytes of large
 * artifacts are read when their value is asked for.
 *
 * @example
 * const run = await millrace.flow('diamonds').latestSuccessfulRun();
 * const { best } = await run!.data();
 * for await (const one of millrace.flow('diamonds').runs({ tags: ['nightly'], parameters: { seed: 40 } })) console.log(one.pathspec);
 */
import { MillraceError } from '../../runtime/ports/errors.ts';
import { decodeArtifact } from '../../schemas/codec/artifact-value.ts';
import type {
  ArtifactPage,
  RunPage,
  RunSummary,
  ShownRun,
  ShownTask,
  WrittenArtifact,
} from '../../schemas/api/runs.ts';
import { type HttpCaller, path } from './http-caller.ts';
import {
  type ArtifactFilter,
  artifactQuery,
  type RunFilter,
  runQuery,
  type TaskFilter,
  taskQuery,
} from './run-filter.ts';

const pageMax = 1_000;

export class PastRuns {
  readonly #caller: HttpCaller;
  /** Tag that every run must have; null: any run. */
  readonly namespace: string | null;

  constructor(caller: HttpCaller, namespace: string | null) {
    this.#caller = caller;
    this.namespace = namespace;
  }

  async page(filter: RunFilter = {}): Promise<RunPage> {
    return (await this.#get(`/api/v1/runs${runQuery(filter, this.namespace)}`)) as RunPage;
  }

  /** All of them, newest first, a page at a time. */
  async *all(filter: RunFilter = {}): AsyncGenerator<Run> {
    for (let cursor = filter.cursor; ; ) {
      const page = await this.page({ limit: pageMax, ...filter, ...(cursor === undefined ? {} : { cursor }) });
      for (const run of page.runs) yield new Run(this, run);
      if (page.next === null) return;
      cursor = page.next;
    }
  }

  /** With the tasks that are wanted: one page when `limit` says how many, else all of them. */
  async show(runId: string, filter: TaskFilter = {}): Promise<ShownRun> {
    const page = async (wanted: TaskFilter): Promise<ShownRun> =>
      (await this.#get(path`/api/v1/runs/${runId}` + taskQuery(wanted))) as ShownRun;
    if (filter.limit !== undefined) return await page(filter);
    let shown = await page(filter);
    const tasks = [...shown.tasks];
    while (shown.next !== null) {
      shown = await page({ ...filter, limit: pageMax, cursor: shown.next });
      for (const task of shown.tasks) tasks.push(task);
    }
    return { ...shown, tasks };
  }

  /** NOT_FOUND also for a run outside of the namespace. */
  async run(runId: string): Promise<Run> {
    const run = await this.show(runId, { limit: 0 });
    if (this.namespace !== null && ![...run.systemTags, ...run.tags].includes(this.namespace))
      throw new MillraceError('NOT_FOUND', `run '${runId}' is not in namespace '${this.namespace}': ask without one`);
    return new Run(this, run);
  }

  async artifactPage(filter: ArtifactFilter): Promise<ArtifactPage> {
    return (await this.#get(`/api/v1/artifacts${artifactQuery(filter)}`)) as ArtifactPage;
  }

  async artifacts(filter: ArtifactFilter): Promise<readonly DataArtifact[]> {
    const found: DataArtifact[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await this.artifactPage({ limit: pageMax, ...filter, ...(cursor === undefined ? {} : { cursor }) });
      for (const artifact of page.artifacts) found.push(new DataArtifact(this, artifact));
      if (page.next === null || filter.limit !== undefined) return found;
      cursor = page.next;
    }
  }

  async bytes(hash: string): Promise<Uint8Array> {
    return await this.#caller.bytes({ method: 'GET', path: path`/api/v1/artifacts/${hash}` });
  }

  async tag(runId: string, change: { readonly add?: readonly string[]; readonly remove?: readonly string[] }) {
    const answer = await this.#caller.call({ method: 'POST', path: path`/api/v1/runs/${runId}/tags`, body: change });
    return (answer as { tags: readonly string[] }).tags;
  }

  async #get(url: string): Promise<unknown> {
    return await this.#caller.call({ method: 'GET', path: url });
  }
}

/** Runs of one flow, by its deployed name. */
export class Flow {
  readonly #past: PastRuns;
  readonly name: string;

  constructor(past: PastRuns, name: string) {
    this.#past = past;
    this.name = name;
  }

  get pathspec(): string {
    return this.name;
  }

  /** Newest first. */
  runs(filter: Omit<RunFilter, 'flow'> = {}): AsyncGenerator<Run> {
    return this.#past.all({ ...filter, flow: this.name });
  }

  async latestRun(): Promise<Run | undefined> {
    return await this.#first({});
  }

  async latestSuccessfulRun(): Promise<Run | undefined> {
    return await this.#first({ status: 'completed' });
  }

  async #first(filter: RunFilter): Promise<Run | undefined> {
    const { runs } = await this.#past.page({ ...filter, flow: this.name, limit: 1 });
    return runs[0] === undefined ? undefined : new Run(this.#past, runs[0]);
  }
}

export class Run {
  readonly #past: PastRuns;
  #summary: RunSummary;
  #shown: ShownRun | undefined;

  constructor(past: PastRuns, summary: RunSummary | ShownRun) {
    this.#past = past;
    this.#summary = summary;
    this.#shown = undefined;
  }

  get id(): string {
    return this.#summary.runId;
  }

  get flow(): string {
    return this.#summary.flow;
  }

  get pathspec(): string {
    return `${this.flow}/${this.id}`;
  }

  get status(): string {
    return this.#summary.status;
  }

  get finished(): boolean {
    return this.#summary.endedAt !== null;
  }

  get successful(): boolean {
    return this.status === 'completed';
  }

  get createdAt(): Date {
    return new Date(this.#summary.startedAt);
  }

  get finishedAt(): Date | undefined {
    const { endedAt } = this.#summary;
    return endedAt === null ? undefined : new Date(endedAt);
  }

  get userTags(): readonly string[] {
    return this.#summary.tags;
  }

  get systemTags(): readonly string[] {
    return this.#summary.systemTags;
  }

  get tags(): readonly string[] {
    return [...this.systemTags, ...this.userTags];
  }

  /** As the platform knows it now. */
  async refresh(): Promise<ShownRun> {
    const shown = await this.#past.show(this.id);
    this.#summary = shown;
    this.#shown = shown;
    return shown;
  }

  async parameters(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#details()).parameters;
  }

  /** The run that it resumes. */
  async origin(): Promise<Run | undefined> {
    const { originRunId } = await this.#details();
    return originRunId === null ? undefined : await this.#past.run(originRunId);
  }

  async tasks(step?: string): Promise<readonly Task[]> {
    const { tasks } = await this.#details();
    const all = tasks.map((task) => new Task(this.#past, this, task));
    return step === undefined ? all : all.filter((task) => task.step === step);
  }

  async task(taskId: string): Promise<Task> {
    const { tasks } = await this.#past.show(this.id, { task: taskId, limit: 1 });
    const found = tasks.map((task) => new Task(this.#past, this, task))[0];
    if (found === undefined) throw new MillraceError('NOT_FOUND', `run '${this.id}' has no task '${taskId}'`);
    return found;
  }

  /** In the order in which their first tasks began. */
  async steps(): Promise<readonly Step[]> {
    const names = new Set((await this.tasks()).map(({ step }) => step));
    return [...names].map((name) => new Step(this, name));
  }

  async artifacts(filter: Omit<ArtifactFilter, 'runId'> = {}): Promise<readonly DataArtifact[]> {
    return await this.#past.artifacts({ ...filter, runId: this.id });
  }

  /** Values of what the task that ended last has written, by name. */
  async data(): Promise<Readonly<Record<string, unknown>>> {
    const ended = (await this.tasks()).filter(({ successful }) => successful);
    const last = ended.reduce<Task | undefined>(
      (latest, task) => ((task.finishedAt?.getTime() ?? 0) >= (latest?.finishedAt?.getTime() ?? 0) ? task : latest),
      undefined,
    );
    return last === undefined ? {} : await last.data();
  }

  async addTags(...tags: readonly string[]): Promise<readonly string[]> {
    return await this.#tag({ add: tags });
  }

  async removeTags(...tags: readonly string[]): Promise<readonly string[]> {
    return await this.#tag({ remove: tags });
  }

  /** Removes, then adds, in one change. */
  async replaceTags(remove: readonly string[], add: readonly string[]): Promise<readonly string[]> {
    return await this.#tag({ add, remove });
  }

  async #tag(change: { readonly add?: readonly string[]; readonly remove?: readonly string[] }) {
    const tags = await this.#past.tag(this.id, change);
    this.#summary = { ...this.#summary, tags };
    return tags;
  }

  async #details(): Promise<ShownRun> {
    return this.#shown ?? (await this.refresh());
  }
}

export class Step {
  readonly run: Run;
  readonly name: string;

  constructor(run: Run, name: string) {
    this.run = run;
    this.name = name;
  }

  get pathspec(): string {
    return `${this.run.pathspec}/${this.name}`;
  }

  async tasks(): Promise<readonly Task[]> {
    return await this.run.tasks(this.name);
  }
}

export class Task {
  readonly #past: PastRuns;
  readonly #task: ShownTask;
  readonly run: Run;

  constructor(past: PastRuns, run: Run, task: ShownTask) {
    this.#past = past;
    this.run = run;
    this.#task = task;
  }

  get id(): string {
    return this.#task.taskId;
  }

  /** Its id without the places of items, rounds and ranks. */
  get step(): string {
    return this.id
      .split('.')
      .filter((part) => !/^\d/.test(part))
      .join('.');
  }

  /** Places of items, rounds and ranks, outermost first. */
  get index(): readonly number[] {
    return this.id
      .split('.')
      .filter((part) => /^\d/.test(part))
      .map(Number);
  }

  get pathspec(): string {
    return `${this.run.pathspec}/${this.step}/${this.id}`;
  }

  get status(): string {
    return this.#task.status;
  }

  get successful(): boolean {
    return this.status === 'completed';
  }

  get finished(): boolean {
    return this.#task.endedAt !== null;
  }

  get finishedAt(): Date | undefined {
    return this.#task.endedAt === null ? undefined : new Date(this.#task.endedAt);
  }

  get currentAttempt(): number {
    return this.#task.attempt;
  }

  /** Message of its failure. */
  get exception(): string | undefined {
    return this.#task.message ?? undefined;
  }

  /** The run whose outcome it took over: cloned by a resume, or recalled for a memoised step. */
  get originRunId(): string | undefined {
    return this.#task.originRunId ?? undefined;
  }

  /** The task of that run. */
  get originTaskId(): string | undefined {
    return this.#task.originTaskId ?? undefined;
  }

  async artifacts(): Promise<readonly DataArtifact[]> {
    return await this.#past.artifacts({ runId: this.run.id, taskId: this.id });
  }

  async artifact(name: string): Promise<DataArtifact> {
    const [found] = await this.#past.artifacts({ runId: this.run.id, taskId: this.id, name, limit: 1 });
    if (found === undefined) throw new MillraceError('NOT_FOUND', `task '${this.pathspec}' has no artifact '${name}'`);
    return found;
  }

  /** Values by name. */
  async data(): Promise<Readonly<Record<string, unknown>>> {
    const all = await this.artifacts();
    return Object.fromEntries(await Promise.all(all.map(async (one) => [one.name, await one.value()] as const)));
  }
}

export class DataArtifact {
  readonly #past: PastRuns;
  readonly #written: WrittenArtifact;

  constructor(past: PastRuns, written: WrittenArtifact) {
    this.#past = past;
    this.#written = written;
  }

  get name(): string {
    return this.#written.name;
  }

  get hash(): string {
    return this.#written.hash;
  }

  get sizeBytes(): number {
    return this.#written.sizeBytes;
  }

  get codec(): string {
    return this.#written.codec;
  }

  get runId(): string {
    return this.#written.runId;
  }

  get taskId(): string {
    return this.#written.taskId;
  }

  get writtenAt(): Date {
    return new Date(this.#written.writtenAt);
  }

  async bytes(): Promise<Uint8Array> {
    const { inline, hash } = this.#written;
    return inline === null ? await this.#past.bytes(hash) : Buffer.from(inline, 'base64');
  }

  async value(): Promise<unknown> {
    return decodeArtifact(this.codec, await this.bytes());
  }
}
