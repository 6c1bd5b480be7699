/** What a step's code threw, as people read it. */
import { inspect } from 'node:util';
import { MillraceError } from './errors.ts';

/** Begins the names of a bundle's sources, whose paths are relative to the flow's folder. Not to be resolved against the bundle's. */
export const sourceScheme = 'flow:';

export interface Thrown {
  readonly message: string;
  /** Name, message, own properties and causes, each with the frames of the user's code and packages; '' of what is no error. */
  readonly stack: string;
  /** The same with all frames; '' where `stack` has them all. */
  readonly trace: string;
}

const messageMax = 4_000;
const stackMax = 16_000;
const propertiesMax = 500;
/** Causes of causes, and errors within one, that are told. */
const nestedMax = 5;

export function describeThrown(error: unknown): Thrown {
  if (!(error instanceof Error))
    return { message: `the step threw ${inspected(error)}`.slice(0, messageMax), stack: '', trace: '' };
  const [stack, trace] = [true, false].map((own) => told(error, own, nestedMax).slice(0, stackMax)) as [string, string];
  return { message: error.message.slice(0, messageMax), stack, trace: trace === stack ? '' : trace };
}

function told(error: Error, own: boolean, depth: number): string {
  const lines = (error.stack ?? String(error)).split('\n');
  const first = lines.findIndex(isFrame);
  const head = (first < 0 ? lines : lines.slice(0, first)).join('\n');
  const all = first < 0 ? [] : lines.slice(first);
  const frames = (own ? ofUser(all) : all).map((line) => line.replaceAll(sourceScheme, ''));
  const texts = [`${head}${propertiesOf(error)}`, ...frames];
  if (depth === 0) return texts.join('\n');
  if (error.cause !== undefined) texts.push(`caused by ${nested(error.cause, own, depth)}`);
  if (error instanceof AggregateError)
    for (const one of error.errors.slice(0, nestedMax)) texts.push(`one of them: ${nested(one, own, depth)}`);
  return texts.join('\n');
}

function nested(error: unknown, own: boolean, depth: number): string {
  return error instanceof Error ? told(error, own, depth - 1) : inspected(error);
}

function isFrame(line: string): boolean {
  return /^ +at /.test(line);
}

/** A frame without a file, such as that of `map`, belongs to whoever called it, which is the frame below. */
function ofUser(frames: readonly string[]): readonly string[] {
  let callerIs = false;
  return frames.filter(isFrame).reduceRight<string[]>((kept, frame) => {
    if (!/\(<anonymous>\)$|\(native\)$/.test(frame)) callerIs = isUsers(frame);
    return callerIs ? [frame, ...kept] : kept;
  }, []);
}

function isUsers(frame: string): boolean {
  if (frame.includes(sourceScheme)) return true;
  return /[\\/]node_modules[\\/](?!millrace[\\/]|\.cache[\\/])/.test(frame);
}

const shownElsewhere = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/** What a typed error knows beside its message. */
function propertiesOf(error: Error): string {
  if (error instanceof MillraceError) return '';
  const own = Object.entries(error).filter(([name]) => !shownElsewhere.has(name));
  return own.length === 0 ? '' : ` ${inspected(Object.fromEntries(own))}`;
}

function inspected(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    const text = inspect(value, { depth: 2, breakLength: Infinity, maxArrayLength: 20, maxStringLength: 200 });
    return text.length <= propertiesMax ? text : `${text.slice(0, propertiesMax)}…`;
  } catch {
    return `a ${typeof value} that cannot be shown`;
  }
}
