/** Three ways to look at a run: drawn live, in plain lines, as JSON lines. */
import type { RunSummary, StepLine } from '../../sdk/client/index.ts';
import { stepOfTask } from '../../schemas/task-id.ts';
import { print, say } from '../command.ts';
import { LiveRegion, type Terminal } from '../ui/live-region.ts';
import { bar } from '../ui/plot.ts';
import { cyan, dim, green, padEnd, red, yellow } from '../ui/style.ts';
import { duration } from '../ui/table.ts';
import { waitingText } from './waiting-text.ts';
import { leftMs, type RunEvent, type RunProgress, type StepProgress } from './run-progress.ts';

export interface RunView {
  event(event: RunEvent): void;
  line(line: StepLine): void;
  note(text: string): void;
  /** Draws nothing more. */
  close(): void;
}

/** `1f3a9c2e/trials.3.fit`: run and task, which names its step. */
export function linePrefix(runId: string, { taskId, attempt }: Pick<StepLine, 'taskId' | 'attempt'>): string {
  return `${runId.slice(0, 8)}/${taskId}${attempt > 1 ? `#${attempt}` : ''}`;
}

export function shownLine(runId: string, line: StepLine): string {
  const time = new Date(line.at).toISOString().slice(11, 23);
  const text = line.stream === 'err' ? yellow(line.text) : line.text;
  return `${dim(time)} ${cyan(`[${linePrefix(runId, line)}]`)} ${text}`;
}

export class JsonView implements RunView {
  event({ type, data, timeMs }: RunEvent): void {
    const { token, ...rest } = data as { token?: { attempt: number }; taskId?: string };
    const step = rest.taskId === undefined ? {} : { step: stepOfTask(rest.taskId) };
    const attempt = token === undefined ? {} : { attempt: token.attempt };
    print(JSON.stringify({ type, at: timeMs, ...rest, ...step, ...attempt }, without));
  }

  line(line: StepLine): void {
    print(JSON.stringify({ type: 'log', ...line }));
  }

  note(text: string): void {
    say(text);
  }

  ended(run: RunSummary): void {
    print(JSON.stringify({ type: 'run', run }));
  }

  close(): void {
    // every line was written at once
  }
}

/** Bytes of small artifacts and the graph are no news. */
function without(key: string, value: unknown): unknown {
  return key === 'inline' || key === 'graph' || key === 'work' ? undefined : value;
}

/** For pipes and files: each thing once, in its order. A wide foreach says its tenths. */
export class PlainView implements RunView {
  readonly #runId: string;
  readonly #progress: RunProgress;
  readonly #say: (text: string) => void;
  readonly #tenths = new Map<string, number>();
  /** Compute classes of which it was said that they are missing. */
  #missing: readonly string[] = [];

  constructor(runId: string, progress: RunProgress, write: (text: string) => void = say) {
    this.#runId = runId;
    this.#progress = progress;
    this.#say = write;
  }

  event(event: RunEvent): void {
    for (const text of happened(event, this.#progress, this.#tenths, true)) this.#say(text);
    const waiting = this.#progress.waiting();
    const news = waiting.filter(({ compute }) => !this.#missing.includes(compute));
    for (const one of news) this.#say(yellow(`  ${waitingText(one, event.timeMs)}`));
    this.#missing = waiting.map(({ compute }) => compute);
  }

  line(line: StepLine): void {
    this.#say(shownLine(this.#runId, line));
  }

  note(text: string): void {
    this.#say(text);
  }

  close(): void {
    // nothing is drawn again
  }
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const drawEveryMs = 100;
const activeMax = 12;

/** For people: what is done goes up, what runs is drawn at the bottom, ten times a second at most. */
export class LiveView implements RunView {
  readonly #runId: string;
  readonly #progress: RunProgress;
  readonly #region: LiveRegion;
  readonly #now: () => number;
  #said: string[] = [];
  readonly #tenths = new Map<string, number>();
  #frame = 0;
  readonly #timer: NodeJS.Timeout;
  #note = '';

  constructor(runId: string, progress: RunProgress, terminal: Terminal, now: () => number = Date.now) {
    this.#runId = runId;
    this.#progress = progress;
    this.#region = new LiveRegion(terminal);
    this.#now = now;
    this.#timer = setInterval(() => this.draw(), drawEveryMs);
  }

  event(event: RunEvent): void {
    this.#said.push(...happened(event, this.#progress, this.#tenths, false));
  }

  line(line: StepLine): void {
    this.#said.push(shownLine(this.#runId, line));
  }

  note(text: string): void {
    this.#note = text;
  }

  draw(): void {
    this.#frame += 1;
    const spinner = frames[this.#frame % frames.length] ?? '';
    const active = this.#progress.steps().filter(({ running }) => running.size > 0);
    const lines = active.slice(0, activeMax).map((step) => activeLine(step, spinner, this.#now()));
    if (active.length > activeMax) lines.push(dim(`    and ${active.length - activeMax} more steps`));
    for (const one of this.#progress.waiting()) lines.push(yellow(`  ${waitingText(one, this.#now())}`));
    if (this.#note !== '') lines.push(yellow(`  ${this.#note}`));
    this.#region.update(this.#said, lines);
    this.#said = [];
  }

  close(): void {
    clearInterval(this.#timer);
    this.#region.update(this.#said, []);
    this.#said = [];
    this.#region.close();
  }
}

function activeLine(step: StepProgress, spinner: string, nowMs: number): string {
  const { running, completed, retried, total } = step;
  const since = Math.min(...[...running.values()].map(({ sinceMs }) => sinceMs));
  const name = padEnd(step.step, 24);
  const again = retried === 0 ? '' : yellow(`  ${retried} retried`);
  const single = total === 1 || (total === undefined && running.size === 1 && completed === 0);
  if (single) return `  ${cyan(spinner)} ${name} ${dim(duration(Math.max(0, nowMs - since)))}${again}`;
  const left = leftMs(step, nowMs);
  const counted = total === undefined ? `${completed} done` : `${bar(completed, total, 16)} ${completed}/${total}`;
  const time =
    left === undefined ? dim(`  ${duration(Math.max(0, nowMs - since))}`) : dim(`  about ${duration(left)} left`);
  return `  ${cyan(spinner)} ${name} ${counted}${dim(`  ${running.size} running`)}${again}${time}`;
}

/** What an event gives to say. `starts`: also that tasks have begun. */
function happened(
  event: RunEvent,
  progress: RunProgress,
  tenths: Map<string, number>,
  starts: boolean,
): readonly string[] {
  switch (event.type) {
    case 'task-started': {
      if (!starts || !alone(event.data.taskId)) return [];
      return [`  ${dim('…')} ${event.data.taskId} ${dim(`started${attemptText(event.data.token.attempt)}`)}`];
    }
    case 'task-completed': {
      const { taskId, userMs } = event.data;
      const step = progress.steps().find((one) => one.step === stepOfTask(taskId));
      if (alone(taskId) || step === undefined) return [`  ${green('✔')} ${taskId} ${dim(duration(userMs))}`];
      return tenth(step, tenths, starts);
    }
    case 'task-failed': {
      const { taskId, kind, message, token } = event.data;
      return [`  ${red('✘')} ${taskId}${attemptText(token.attempt)} ${red(kind)}: ${firstLine(message)}`];
    }
    case 'task-closed': {
      const { taskId, outcome, originRunId = null } = event.data;
      if (outcome !== 'recalled' && outcome !== 'cloned') return [];
      const step = progress.steps().find((one) => one.step === stepOfTask(taskId));
      const how = outcome === 'cloned' ? 'taken over' : `recalled from run ${originRunId}`;
      if (alone(taskId) || step === undefined) return [`  ${green('✔')} ${taskId} ${dim(how)}`];
      return tenth(step, tenths, starts);
    }
    case 'task-retried': {
      const { taskId, attempt } = event.data;
      return [`  ${yellow('↻')} ${taskId} ${dim(`attempt ${attempt} follows`)}`];
    }
    default:
      return [];
  }
}

/** Tasks in loops are many: they are told by tenths; of rounds, whose number is not known before, the first ten and then every tenth, hundredth and so on. */
function tenth(step: StepProgress, tenths: Map<string, number>, starts: boolean): readonly string[] {
  const { completed, recalled, takenOver, total, firstMs, lastMs } = step;
  if (total === undefined) {
    const every = 10 ** Math.max(0, Math.ceil(Math.log10(completed)) - 1);
    return starts && completed % every === 0 ? [`  ${dim('…')} ${step.step} ${completed} done`] : [];
  }
  const now = Math.floor((10 * completed) / total);
  if (now <= (tenths.get(step.step) ?? 0)) return [];
  tenths.set(step.step, now);
  if (completed < total) return starts ? [`  ${dim('…')} ${step.step} ${completed}/${total}`] : [];
  const from = `${recalled === 0 ? '' : `, ${recalled} recalled`}${takenOver === 0 ? '' : `, ${takenOver} taken over`}`;
  return [`  ${green('✔')} ${step.step} ${total} tasks ${dim(`${duration(lastMs - firstMs)}${from}`)}`];
}

const alone = (taskId: string): boolean => stepOfTask(taskId) === taskId;
const attemptText = (attempt: number): string => (attempt > 1 ? ` (attempt ${attempt})` : '');
export const firstLine = (text: string): string => (text.split('\n')[0] ?? '').slice(0, 300);
