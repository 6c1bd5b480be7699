/**
 * The process of one Python model, started again when it ends. It answers one call after the other. A call whose process dies is made once
 * more, alone at the head of the next process; one that kills that too, or takes too long, has failed. The other calls go on in the next
 * process: a call of a model has no effects, so making it again is safe.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { MillraceError } from '../../ports/index.ts';
import { LastLines } from '../process-executor/program/last-lines.ts';
import { type Message, readMessages, writeMessage } from './message-stream.ts';
import { pythonProgram } from './python-program.ts';

export interface PythonProcessOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** First message: what to load, and how it is called. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** For messages to people. */
  readonly source: string;
  readonly loadTimeoutMs: number;
  readonly runTimeoutMs: number;
}

interface Call {
  readonly message: Message;
  readonly resolve: (answer: Message) => void;
  readonly reject: (error: MillraceError) => void;
  /** Processes that died over it. */
  deaths: number;
}

/** Between starts that failed. */
const restartMs = { first: 500, most: 30_000 };

export class PythonProcess {
  readonly #options: PythonProcessOptions;
  /** The first one is under way. */
  readonly #calls: Call[] = [];
  #child: ChildProcessWithoutNullStreams | undefined;
  #loaded = false;
  #sent = false;
  #timer: NodeJS.Timeout | undefined;
  /** Of the process that could not load last. */
  #startFailures = 0;
  #startAfter = 0;
  #lastProblem = '';
  #closed = false;

  constructor(options: PythonProcessOptions) {
    this.#options = options;
  }

  /** Process id; undefined while there is none. For tests, which end it. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** UNAVAILABLE while it cannot be started; TIMEOUT and USER_CODE_FAILED are the model's. */
  call(message: Message): Promise<Message> {
    return new Promise((resolve, reject) => {
      this.#calls.push({ message, resolve, reject, deaths: 0 });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      const kill = setTimeout(() => child.kill('SIGKILL'), 2_000);
      child.once('close', () => {
        clearTimeout(kill);
        resolve();
      });
      child.stdin.end();
    });
  }

  #next(): void {
    if (this.#closed || this.#calls.length === 0) return;
    if (this.#child === undefined) {
      if (Date.now() >= this.#startAfter) this.#start();
      else this.#rejectAll(`its process could not be started a moment ago: ${this.#lastProblem}`);
      return;
    }
    const [call] = this.#calls;
    if (!this.#loaded || this.#sent || call === undefined) return;
    this.#sent = true;
    this.#limit(this.#options.runTimeoutMs, () => {
      this.#calls.shift();
      const seconds = this.#options.runTimeoutMs / 1_000;
      call.reject(
        new MillraceError('TIMEOUT', `the Python model of ${this.#options.source} did not answer in ${seconds} s`),
      );
    });
    writeMessage(this.#child.stdin, call.message);
  }

  #start(): void {
    const { environment, settings, loadTimeoutMs } = this.#options;
    const child = spawn('python', ['-c', pythonProgram], { env: { ...environment }, stdio: 'pipe' });
    const said = new LastLines();
    this.#child = child;
    this.#loaded = false;
    this.#sent = false;
    let problem = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => {
      problem = error.message;
    });
    child.once('close', (code, signal) => {
      const end = signal === null ? `code ${String(code)}` : `signal ${signal}`;
      this.#ended(problem === '' ? `its process ended with ${end}${said.behind()}` : problem);
    });
    readMessages(
      child.stdout,
      (message) => {
        if (this.#child !== child) return;
        const { loaded, error } = message.head;
        if (this.#loaded) return this.#answered(message);
        if (loaded !== true) {
          problem = String(error).slice(0, 2_000);
          return;
        }
        clearTimeout(this.#timer);
        this.#loaded = true;
        this.#startFailures = 0;
        this.#next();
      },
      () => child.kill('SIGKILL'),
    );
    this.#limit(loadTimeoutMs, () => {
      problem = `it was not loaded within ${loadTimeoutMs / 1_000} s`;
    });
    writeMessage(child.stdin, { head: settings, parts: [] });
  }

  #answered(answer: Message): void {
    clearTimeout(this.#timer);
    this.#sent = false;
    const call = this.#calls.shift();
    const { error } = answer.head;
    if (typeof error === 'string') {
      call?.reject(
        new MillraceError(
          'USER_CODE_FAILED',
          `the Python model of ${this.#options.source} failed: ${error.slice(0, 2_000)}`,
        ),
      );
    } else call?.resolve(answer);
    this.#next();
  }

  #ended(problem: string): void {
    clearTimeout(this.#timer);
    this.#child = undefined;
    this.#lastProblem = problem;
    if (!this.#loaded) {
      this.#startAfter = Date.now() + Math.min(restartMs.first * 2 ** this.#startFailures, restartMs.most);
      this.#startFailures += 1;
      this.#rejectAll(`it cannot be loaded: ${problem}`);
      return;
    }
    this.#loaded = false;
    const [call] = this.#calls;
    if (this.#sent && call !== undefined) {
      call.deaths += 1;
      if (call.deaths > 1) {
        this.#calls.shift();
        call.reject(
          new MillraceError(
            'USER_CODE_FAILED',
            `the Python model of ${this.#options.source} died twice over a call: ${problem}`,
          ),
        );
      }
    }
    this.#sent = false;
    this.#next();
  }

  /** Ends the process when it takes too long; `then` comes before. */
  #limit(timeMs: number, then: () => void): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#timer = setTimeout(() => {
      then();
      this.#sent = false;
      child?.kill('SIGKILL');
    }, timeMs);
    this.#timer.unref();
  }

  #rejectAll(problem: string): void {
    for (const { reject } of this.#calls.splice(0)) {
      reject(new MillraceError('UNAVAILABLE', `the Python model of ${this.#options.source}: ${problem}`));
    }
  }
}
