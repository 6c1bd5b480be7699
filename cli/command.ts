import type { Command } from 'commander';
import type { GlobalOptions } from './session.ts';

/** One command, or a noun with verbs; each file of `commands/` has one. */
export interface CommandModule {
  /** Adds arguments, options and the action. */
  configure(command: Command): void;
}

/** Options of the command and of the program together. */
export function optionsOf<T>(command: Command): GlobalOptions & T {
  return command.optsWithGlobals();
}

/** An option that may be given again; its default is `[]`. */
export const repeatable = (value: string, all: readonly string[]): readonly string[] => [...all, value];

/** Data goes to standard output, talk to standard error. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A list or object as JSON when it was asked for, else as `human` writes it. */
export function show<T>(options: GlobalOptions, data: T, human: (data: T) => string): void {
  print(options.json === true ? JSON.stringify(data, null, 2) : human(data));
}

/** What to do next, to standard error, for people only. */
export function next(options: GlobalOptions, ...commands: readonly string[]): void {
  if (options.json === true || commands.length === 0) return;
  say(`\nNext: ${commands.map((command) => `\`${command}\``).join(' or ')}`);
}
