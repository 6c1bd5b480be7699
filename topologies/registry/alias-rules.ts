/**
 * Rules of an alias, such as `champion`: what must hold before it names another version. Checks are of facts that the fold has: metrics and tags of the
 * version, against those of the version that the alias names now. With `approval` the move waits for a second person.
 */
import type { VersionFacts } from './rows.ts';

export interface AliasRule {
  /** Somebody else than who asked must approve. */
  readonly approval?: boolean;
  readonly metrics?: readonly MetricRule[];
  /** Tags that the version must have, such as one that a flow of tests sets. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Same inputs and outputs as the version that the alias names. */
  readonly signature?: boolean;
}

interface MetricRule {
  readonly metric: string;
  readonly better: 'lower' | 'higher';
  /** By how much at least it must be better than the present one's. @default 0: not worse */
  readonly by?: number;
  /** The worst value that is good enough, whatever the present one has. */
  readonly limit?: number;
}

/** Tag of a version with what its MLmodel file says of inputs and outputs. */
export const signatureTag = 'millrace.signature';

const checksMax = 20;

/** @throws RangeError that says what is wrong with the text */
export function parseRule(text: string): AliasRule {
  let rule: unknown;
  try {
    rule = JSON.parse(text);
  } catch {
    throw new RangeError('a rule must be JSON');
  }
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule))
    throw new RangeError('a rule must be a JSON object');
  const known = ['approval', 'metrics', 'tags', 'signature'];
  const unknown = Object.keys(rule).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new RangeError(`a rule has ${known.join(', ')}, not ${unknown.join(', ').slice(0, 80)}`);
  const { approval, metrics, tags, signature } = rule as Readonly<Record<string, unknown>>;
  for (const [name, value] of Object.entries({ approval, signature })) {
    if (value !== undefined && typeof value !== 'boolean') throw new RangeError(`${name} must be true or false`);
  }
  if (
    metrics !== undefined &&
    !(Array.isArray(metrics) && metrics.length <= checksMax && metrics.every(isMetricRule))
  ) {
    throw new RangeError(
      `metrics must be a list of at most ${checksMax} objects {metric, better: 'lower' or 'higher', by?: number from 0 on, limit?: number}`,
    );
  }
  if (tags !== undefined && !isTexts(tags))
    throw new RangeError(`tags must be an object of at most ${checksMax} texts`);
  return rule;
}

/** What does not hold; empty: the version may have the alias. */
export function brokenChecks(
  rule: AliasRule,
  target: VersionFacts,
  present: VersionFacts | undefined,
): readonly string[] {
  const broken: string[] = [];
  for (const { metric, better, by = 0, limit } of rule.metrics ?? []) {
    const value = target.metrics[metric];
    if (value === undefined || !Number.isFinite(value)) {
      broken.push(`version ${target.version} has no metric '${metric}'`);
      continue;
    }
    const sign = better === 'lower' ? -1 : 1;
    if (limit !== undefined && sign * value < sign * limit) {
      broken.push(`${metric} is ${value}; ${better === 'lower' ? 'at most' : 'at least'} ${limit} is wanted`);
    }
    const other = present?.version === target.version ? undefined : present?.metrics[metric];
    if (other !== undefined && sign * (value - other) < by) {
      const wanted = by === 0 ? 'not worse' : `better by ${by}`;
      broken.push(`${metric} is ${value}; ${wanted} than the ${other} of version ${present?.version} is wanted`);
    }
  }
  for (const [key, value] of Object.entries(rule.tags ?? {})) {
    if (target.tags[key] !== value) {
      const has = target.tags[key] === undefined ? 'is missing' : `is '${target.tags[key].slice(0, 80)}'`;
      broken.push(`tag '${key}' ${has}; '${value}' is wanted`);
    }
  }
  const signature = present?.tags[signatureTag];
  if (rule.signature === true && signature !== undefined && target.tags[signatureTag] !== signature) {
    broken.push(`inputs and outputs are not those of version ${present?.version}`);
  }
  return broken;
}

/**
 * Without the version that an alias names, or under another name, a rule would have nothing to compare with.
 * @param aliases that are concerned; left out: all of the model
 * @returns the refusal; undefined: no rule stands against it
 */
export function heldByRules(
  model: string,
  rules: Readonly<Record<string, AliasRule>> = {},
  what: string,
  aliases: readonly string[] = Object.keys(rules),
): { readonly code: string; readonly refused: string } | undefined {
  const alias = aliases.find((name) => Object.hasOwn(rules, name));
  if (alias === undefined) return undefined;
  const refused = `model '${model}' is not ${what}: alias '${alias}' has the rule ${JSON.stringify(rules[alias]).slice(0, 300)}; \`millrace models protect ${model} ${alias} --remove\` takes the rule away`;
  return { code: 'FORBIDDEN', refused };
}

function isMetricRule(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { metric, better, by, limit } = value as Readonly<Record<string, unknown>>;
  const numeric = (number: unknown): boolean => number === undefined || Number.isFinite(number);
  return (
    typeof metric === 'string' &&
    (better === 'lower' || better === 'higher') &&
    numeric(by) &&
    ((by as number | undefined) ?? 0) >= 0 &&
    numeric(limit)
  );
}

function isTexts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const texts = Object.values(value);
  return texts.length <= checksMax && texts.every((text) => typeof text === 'string');
}
