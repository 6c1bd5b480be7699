import { spawn } from 'node:child_process';

export interface ToolRun {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal: AbortSignal;
}

export interface ToolResult {
  /** Undefined when the program could not be started. */
  readonly code: number | undefined;
  readonly output: string;
  /** The end of both streams together. */
  readonly tail: string;
}

const outputBytesMax = 4_000_000;

/** Runs a program to its end; an abort ends it with all that it started, and rejects. */
export function runTool({ command, environment, cwd, signal }: ToolRun): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const [program = '', ...words] = command;
    const child = spawn(program, words, {
      env: { ...environment },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    let tail = '';
    const both = (chunk: string): void => {
      tail = (tail + chunk).slice(-4_000);
    };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-outputBytesMax);
      both(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', both);
    const end = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // it has ended by itself
      }
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    const done = (code: number | undefined): void => {
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve({ code, output, tail: tail.trim() });
    };
    child.once('error', () => done(undefined));
    child.once('close', (code) => done(code ?? -1));
  });
}
