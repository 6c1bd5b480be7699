import { Command, CommanderError } from 'commander';
import { packageVersion } from '../runtime/config/package-version.ts';
import { nearest } from '../runtime/config/nearest.ts';
import { MillraceError } from '../runtime/ports/errors.ts';
import { type CommandModule, repeatable, say } from './command.ts';
import { commands } from './commands/index.ts';
import { exitCode, exitCodeOf } from './exit-codes.ts';
import { bold, dim, red } from './ui/style.ts';

/** Runs one command and answers its exit code. Loads only what was called: start-up is what a person waits for. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const program = new Command('millrace')
    .description('Event-driven machine learning on one log.')
    .option('--json', 'print data as JSON')
    .option('--set <name=value>', 'override a setting (repeatable)', repeatable, [])
    .option('--config <file>', 'settings file (default: millrace.yaml when it is there)')
    .option('--directory <path>', 'where the local profile keeps everything (default: .millrace)')
    .option('--url <address>', 'talk to the instance at this address (or MILLRACE_URL)')
    .option('--actor <name>', 'who is recorded for what this command changes')
    .version(packageVersion(), '--version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) });
  const name = argv.find((argument, index) => !argument.startsWith('-') && !takesValue(argv[index - 1]));
  const entry = commands.find((command) => command.name === name);
  if (entry === undefined && name !== undefined) {
    say(`${red('error')}: there is no command '${name}'.${suggestion(name)} \`millrace --help\` lists all.`);
    return exitCode.usage;
  }
  for (const { name: other, summary, hidden = false } of commands) {
    if (other !== name && !hidden) program.command(other).description(summary);
  }
  if (entry !== undefined) {
    const module: CommandModule = await entry.load();
    module.configure(program.command(entry.name).description(entry.summary));
  }
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : exitCode.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    report(error);
    return exitCodeOf(error);
  }
}

function report(error: unknown): void {
  if (error instanceof MillraceError) say(`${red('error')} ${bold(error.code)}: ${error.message}`);
  else if (error instanceof Error) say(`${red('error')}: ${error.message}\n${dim(placesOf(error))}`);
  else say(`${red('error')}: ${String(error)}`);
}

/** Without the message, which may have lines of its own. */
function placesOf({ stack = '' }: Error): string {
  const places = stack.split('\n').filter((line) => /^ +at /.test(line));
  return places.slice(0, 5).join('\n');
}

function takesValue(flag: string | undefined): boolean {
  return flag !== undefined && ['--set', '--config', '--directory', '--url', '--actor'].includes(flag);
}

function suggestion(name: string): string {
  const known = commands.flatMap((command) => (command.hidden === true ? [] : command.name));
  const near = nearest(name, known, 2);
  return near === undefined ? '' : ` Did you mean '${near}'?`;
}
