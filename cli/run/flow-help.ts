import type { FlowGraph } from '../../schemas/flow-graph.ts';
import type { ParameterSpec } from '../../schemas/flow-parameters.ts';
import { bold, cyan, dim, padEnd } from '../ui/style.ts';
import { flagOf, variableOf } from './given-parameters.ts';

/** What a flow can be told: each parameter with type, default and help, and the configuration that it would take now. */
export function flowHelp(
  file: string,
  { name, parameters, configuration = {} }: Pick<FlowGraph, 'name' | 'parameters' | 'configuration'>,
): string {
  const shown = Object.entries(parameters).map(([parameter, spec]) => ({
    left: `  ${cyan(flagOf(parameter))} ${dim(`<${typeText(spec)}>`)}`,
    right: [spec.help ?? '', dim(necessity(spec)), dim(variableOf(parameter))].filter((part) => part !== ''),
  }));
  const lines = shown.flatMap(({ left, right: [first = '', ...more] }) => [
    `${padEnd(left, 36)} ${first}`,
    ...more.map((part) => `${' '.repeat(36)} ${part}`),
  ]);
  return [
    `${bold(name)} ${dim(`(${file})`)}`,
    '',
    lines.length === 0 ? dim('It has no parameters.') : 'Parameters, on the command line or from the environment:',
    ...lines,
    ...(Object.keys(configuration).length === 0 ? [] : ['', 'Configuration, read when it is run or deployed; now:']),
    ...Object.entries(configuration).map(([key, value]) => `${padEnd(`  ${cyan(key)}`, 36)} ${dim(shortJson(value))}`),
    '',
    `Run it: ${cyan(`millrace run ${file}${example(parameters)}`)}`,
    dim('Options of the command itself: millrace run --help'),
  ].join('\n');
}

export function typeText({ type, of = 'string', values = [], as = 'text' }: ParameterSpec): string {
  if (type === 'list') return `list of ${of}`;
  if (type === 'enum') return values.map(String).join('|');
  return type === 'file' ? `file as ${as}` : type;
}

function necessity({ default: value, required, type }: ParameterSpec): string {
  if (value === undefined) return required ? 'required' : 'optional';
  const path = type === 'file' ? (value as { path?: string }).path : undefined;
  const text = path ?? value;
  return `default ${typeof text === 'string' ? short(text) : shortJson(text)}`;
}

function shortJson(value: unknown): string {
  return short(JSON.stringify(value) ?? 'null');
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

function example(parameters: FlowGraph['parameters']): string {
  const required = Object.entries(parameters).filter(([, spec]) => spec.required && spec.default === undefined);
  return required.map(([name, spec]) => ` ${flagOf(name)} <${typeText(spec)}>`).join('');
}
