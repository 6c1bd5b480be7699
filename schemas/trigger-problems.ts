/** What is wrong with a list of triggers; every problem names its trigger and the fix. */
import { isRecord, shownValue } from './shown-value.ts';
import { durationText } from './durations.ts';
import { filterProblems } from './event-filter.ts';
import { type FlowTrigger, sourcesOf, triggerLimits, triggerName } from './flow-triggers.ts';

type Loose = Readonly<Record<string, unknown>>;

/** Empty when nothing is wrong. Whether a cron pattern and a time zone exist is told by `scheduleProblem` of `schedule-slots.ts`. */
export function triggerProblems(value: unknown, parameterNames: readonly string[]): readonly string[] {
  if (!Array.isArray(value)) return ['triggers must be a list'];
  if (value.length > triggerLimits.triggers) return [`a flow has at most ${triggerLimits.triggers} triggers`];
  const shapes = value.flatMap((item: unknown, index) =>
    isRecord(item) ? [] : [`triggers[${index}] must be an object`],
  );
  if (shapes.length > 0) return shapes;
  const problems = value.flatMap((item: Loose, index) =>
    'schedule' in item ? scheduleShape(item, index, parameterNames) : eventShape(item, index, parameterNames),
  );
  return problems.length > 0 ? problems : doubleNames(value as readonly FlowTrigger[]);
}

function eventShape(trigger: Loose, index: number, parameterNames: readonly string[]): readonly string[] {
  const kinds = ['event', 'finish', 'alert', 'all', 'any'].filter((kind) => trigger[kind] !== undefined);
  if (kinds.length !== 1)
    return [`triggers[${index}] must have exactly one of event, finish, alert, all, any${named(kinds, ' and has ')}`];
  const members = trigger['all'] ?? trigger['any'];
  if (members !== undefined && !(Array.isArray(members) && members.length > 0 && members.every(isRecord)))
    return [`triggers[${index}].${kinds[0] ?? ''} must be a list of events, such as [{ event: 'data-arrived' }]`];
  const sources = sourcesOf(trigger) as readonly unknown[] as readonly Loose[];
  if (sources.length > triggerLimits.members)
    return [`triggers[${index}] waits for ${sources.length} events, the most is ${triggerLimits.members}`];
  const badSources = sources.flatMap((source) => sourceShape(source, index, parameterNames));
  if (badSources.length > 0) return badSources;
  const who = `trigger '${triggerName(trigger)}'`;
  const problems = nameShape(trigger, who);
  const { withinMs, key, debounce } = trigger;
  if (withinMs !== undefined && trigger['all'] === undefined)
    problems.push(`${who}: 'within' needs 'all': a trigger for one event does not wait for others`);
  if (withinMs !== undefined && !isWait(withinMs)) problems.push(`${who}: 'within' ${waitText(withinMs)}`);
  if (key !== undefined && !isPath(key))
    problems.push(`${who}: 'key' must be a path into the payload, or { attribute: name }`);
  if (debounce !== undefined) problems.push(...debounceShape(trigger, debounce, who));
  if (trigger['all'] !== undefined) problems.push(...doubleParameters(sources, who));
  return problems;
}

function sourceShape(source: Loose, index: number, parameterNames: readonly string[]): readonly string[] {
  const { event, finish, alert, on, filter, parameters } = source;
  const named = Object.entries({ event, finish, alert }).filter(([, name]) => name !== undefined);
  const [kind, name] = named[0] ?? ['event', undefined];
  if (named.length !== 1) return [`triggers[${index}]: each event must have exactly one of 'event', 'finish', 'alert'`];
  if (typeof name !== 'string' || name === '' || name.length > 256)
    return [`triggers[${index}].${kind} must be a name of 1 to 256 characters`];
  const who = `trigger '${kind === 'event' ? name : `${kind}:${name}`}'`;
  const problems: string[] = [];
  if (on !== undefined && (finish === undefined || !['success', 'failure', 'any'].includes(String(on))))
    problems.push(`${who}: 'on' must be success, failure or any, and goes with 'finish'`);
  if (filter !== undefined) problems.push(...filterProblems(filter).map((problem) => `${who}: ${problem}`));
  if (parameters === undefined) return problems;
  if (!isRecord(parameters))
    return [...problems, `${who}: 'parameters' must map parameters to properties of the payload`];
  for (const [parameter, path] of Object.entries(parameters)) {
    if (!parameterNames.includes(parameter))
      problems.push(`${who} sets parameter '${parameter}', which the flow does not have`);
    if (!isPath(path))
      problems.push(`${who}: the value for '${parameter}' must be a path into the payload, or { attribute: name }`);
  }
  return problems;
}

function debounceShape(trigger: Loose, debounce: unknown, who: string): readonly string[] {
  if (trigger['all'] !== undefined)
    return [`${who}: 'debounce' and 'all' do not go together: each event of 'all' is used once`];
  const { quietMs, mostMs } = isRecord(debounce) ? debounce : {};
  if (!isWait(quietMs)) return [`${who}: 'debounce' ${waitText(quietMs)}`];
  return isWait(mostMs) && (mostMs as number) >= (quietMs as number)
    ? []
    : [`${who}: the longest wait of 'debounce' must be at least its quiet time and ${waitText(mostMs)}`];
}

function scheduleShape(trigger: Loose, index: number, parameterNames: readonly string[]): readonly string[] {
  const { schedule, parameters, slotParameter, catchUp, overlap } = trigger;
  const who = `schedule '${typeof trigger['name'] === 'string' ? trigger['name'] : 'schedule'}'`;
  if (!isRecord(schedule)) return [`triggers[${index}].schedule must be { cron, timezone } or { everyMs }`];
  const problems = nameShape(trigger, who);
  const { cron, timezone, everyMs } = schedule;
  if ((cron === undefined) === (everyMs === undefined)) problems.push(`${who} needs either 'cron' or 'every'`);
  else if (cron !== undefined && (typeof cron !== 'string' || typeof timezone !== 'string'))
    problems.push(`${who}: 'cron' must be a text of five fields, with a time zone`);
  else if (everyMs !== undefined && !(isWait(everyMs) && (everyMs as number) >= triggerLimits.everyMsMin))
    problems.push(`${who}: 'every' must be a whole duration of 1s to 30d, such as '15m', got ${shownValue(everyMs)}`);
  if (!['none', 'last', 'all'].includes(String(catchUp)))
    problems.push(`${who}: 'catchUp' must be none, last or all, got ${shownValue(catchUp)}`);
  if (!['skip', 'queue', 'allow'].includes(String(overlap)))
    problems.push(`${who}: 'overlap' must be skip, queue or allow, got ${shownValue(overlap)}`);
  const set = isRecord(parameters) ? Object.keys(parameters) : [];
  if (parameters !== undefined && !isRecord(parameters)) problems.push(`${who}: 'parameters' must be an object`);
  for (const name of [...set, ...(slotParameter === undefined ? [] : [slotParameter])]) {
    if (typeof name !== 'string' || !parameterNames.includes(name))
      problems.push(`${who} sets parameter '${String(name)}', which the flow does not have`);
  }
  return problems;
}

function nameShape({ name }: Loose, who: string): string[] {
  if (name === undefined || (typeof name === 'string' && /^[A-Za-z0-9][\x20-\x7e]{0,199}$/.test(name))) return [];
  return [`${who}: a name must be 1 to 200 printable ASCII characters, beginning with a letter or digit`];
}

/** Two members that set one parameter would leave it to chance which of them counts. */
function doubleParameters(sources: readonly Loose[], who: string): readonly string[] {
  const names = sources.flatMap(({ parameters }) => (isRecord(parameters) ? Object.keys(parameters) : []));
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [...new Set(twice)].map((name) => `${who}: two events set parameter '${name}': map it from one of them`);
}

function doubleNames(triggers: readonly FlowTrigger[]): readonly string[] {
  const names = triggers.map(triggerName);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [...new Set(twice)].map((name) => `two triggers are called '${name}': give one of them a name of its own`);
}

function isPath(value: unknown): boolean {
  const text = isRecord(value) ? value['attribute'] : value;
  return typeof text === 'string' && text !== '' && text.length <= 256;
}

function isWait(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= triggerLimits.waitMsMax;
}

function waitText(value: unknown): string {
  return `must be a duration of 1ms to ${durationText(triggerLimits.waitMsMax)}, such as '30s', got ${shownValue(value)}`;
}

function named(names: readonly string[], lead: string): string {
  return names.length === 0 ? '' : lead + names.join(', ');
}
