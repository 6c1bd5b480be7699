import { MillraceError } from '../../ports/errors.ts';
import { buildFailure } from './build-failure.ts';
import { runTool } from './run-tool.ts';

export interface Interpreter {
  readonly program: string;
  /** Such as 3.11.7. */
  readonly version: string;
}

export interface Tools {
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const askVersion = 'import platform; print(platform.python_version())';

/** The worker's Python of the version that was asked for. A patch version that is not there is made up for by another of its line. */
export async function findInterpreter(asked: string | undefined, tools: Tools): Promise<Interpreter> {
  const line = asked?.split('.').slice(0, 2).join('.');
  const names = line?.includes('.') === true ? [`python${line}`, 'python3', 'python'] : ['python3', 'python'];
  const found: string[] = [];
  for (const program of names) {
    const { code: exit, output } = await runTool({ command: [program, '-c', askVersion], ...tools });
    const version = output.trim();
    if (exit !== 0 || !/^\d+\.\d+\.\d+/.test(version)) continue;
    if (asked === undefined || line === undefined || `${version}.`.startsWith(`${line}.`)) return { program, version };
    found.push(version);
  }
  throw new MillraceError(
    'UNAVAILABLE',
    `Python ${asked ?? '3'} is needed, but this worker has ${[...new Set(found)].join(', ') || 'none'}: install it, or uv, which fetches it`,
  );
}

/** Whether a program of that name can be started. */
export async function hasProgram(program: string, tools: Tools): Promise<boolean> {
  return (await runTool({ command: [program, '--version'], ...tools })).code === 0;
}

/** A Python that uv knows, or fetches. */
export async function interpreterByUv(asked: string, tools: Tools): Promise<Interpreter> {
  const installed = await runTool({ command: ['uv', 'python', 'install', '--quiet', asked], ...tools });
  const found = await runTool({ command: ['uv', 'python', 'find', asked], ...tools });
  const program = found.output.trim();
  if (found.code !== 0 || program === '') throw buildFailure(`fetching Python ${asked} by uv`, installed);
  return await findInterpreterAt(program, tools);
}

async function findInterpreterAt(program: string, tools: Tools): Promise<Interpreter> {
  const { output } = await runTool({ command: [program, '-c', askVersion], ...tools });
  return { program, version: output.trim() };
}
