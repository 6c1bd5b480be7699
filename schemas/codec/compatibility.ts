import { parseSchemaTree, typeText, type FieldNode, type RecordNode, type SchemaNode } from './schema-tree.ts';

export interface CompatibilityProblem {
  /** Path of the field, dots between records; '' is the whole schema. */
  readonly field: string;
  readonly says: string;
}

export interface VersionProblems {
  /** 1 is the oldest version given. */
  readonly version: number;
  readonly problems: readonly CompatibilityProblem[];
}

/**
 * FULL_TRANSITIVE: the schema must read, and be read by, every version before it. Answers the first version that it breaks with all
 * the problems, or undefined. Stricter than the Avro specification where a resolution would lose or change what was meant: no type
 * changes at all (an `int` that becomes `long` cannot be read back), no change of a logical type, and names of records, enums and fixed
 * types stay.
 */
export function fullTransitiveProblems(schema: string, versions: readonly string[]): VersionProblems | undefined {
  for (let index = versions.length - 1; index >= 0; index--) {
    const problems = fullProblems(schema, versions[index] ?? '');
    if (problems.length > 0) return { version: index + 1, problems };
  }
  return undefined;
}

/** What keeps `newer` from reading `older`, or `older` from reading `newer`. */
export function fullProblems(newer: string, older: string): readonly CompatibilityProblem[] {
  const problems: CompatibilityProblem[] = [];
  compare(parseSchemaTree(newer), parseSchemaTree(older), '', { problems, seen: new Set() });
  return problems;
}

interface Walk {
  readonly problems: CompatibilityProblem[];
  /** Names of records that are being, or were, compared: recursion ends there. */
  readonly seen: Set<string>;
}

function compare(newer: SchemaNode, older: SchemaNode, field: string, walk: Walk): void {
  if (newer.kind === 'union' || older.kind === 'union') {
    compareUnions(branchesOf(newer), branchesOf(older), field, walk);
  } else if (newer.kind === 'record' && older.kind === 'record' && newer.name === older.name) {
    compareRecords(newer, older, field, walk);
  } else if (newer.kind === 'enum' && older.kind === 'enum' && newer.name === older.name) {
    compareEnums(newer, older, field, walk);
  } else if (newer.kind === 'array' && older.kind === 'array') {
    compare(newer.items, older.items, `${field}[]`, walk);
  } else if (newer.kind === 'map' && older.kind === 'map') {
    compare(newer.items, older.items, `${field}{}`, walk);
  } else if (!sameLeaf(newer, older)) {
    walk.problems.push({ field, says: `its type changed from ${typeText(older)} to ${typeText(newer)}` });
  }
}

function compareRecords(newer: RecordNode, older: RecordNode, field: string, walk: Walk): void {
  if (walk.seen.has(newer.name)) return;
  walk.seen.add(newer.name);
  for (const now of newer.fields) {
    const before = counterpart(now, older.fields);
    const path = field === '' ? now.name : `${field}.${now.name}`;
    if (before !== undefined) {
      if (before.name !== now.name) {
        walk.problems.push({
          field: path,
          says: `it was renamed from "${before.name}", which older readers do not know`,
        });
      }
      compare(now.type, before.type, path, walk);
    } else if (!now.hasDefault) {
      walk.problems.push({ field: path, says: 'it was added without a default' });
    }
  }
  for (const before of older.fields) {
    const kept = newer.fields.some((now) => counterpart(now, older.fields) === before);
    if (!kept && !before.hasDefault) {
      const path = field === '' ? before.name : `${field}.${before.name}`;
      walk.problems.push({ field: path, says: 'it was removed, and had no default' });
    }
  }
}

function compareEnums(
  newer: Extract<SchemaNode, { kind: 'enum' }>,
  older: Extract<SchemaNode, { kind: 'enum' }>,
  field: string,
  { problems }: Walk,
): void {
  const added = newer.symbols.filter((symbol) => !older.symbols.includes(symbol));
  const removed = older.symbols.filter((symbol) => !newer.symbols.includes(symbol));
  if (added.length > 0 && older.fallback === undefined) {
    problems.push({
      field,
      says: `symbols ${added.join(', ')} were added to enum ${newer.name}, which had no default`,
    });
  }
  if (removed.length > 0 && newer.fallback === undefined) {
    problems.push({
      field,
      says: `symbols ${removed.join(', ')} were removed from enum ${newer.name} without a default`,
    });
  }
}

function compareUnions(newer: readonly SchemaNode[], older: readonly SchemaNode[], field: string, walk: Walk): void {
  for (const now of newer) {
    const before = older.find((branch) => sameBranch(now, branch));
    if (before !== undefined) compare(now, before, field, walk);
    else walk.problems.push({ field, says: `branch ${typeText(now)} was added, which older readers refuse` });
  }
  for (const before of older) {
    if (!newer.some((branch) => sameBranch(branch, before))) {
      walk.problems.push({ field, says: `branch ${typeText(before)} was removed, which older records hold` });
    }
  }
}

const branchesOf = (node: SchemaNode): readonly SchemaNode[] => (node.kind === 'union' ? node.branches : [node]);

/** In a union at most one branch has this kind (and name). */
function sameBranch(a: SchemaNode, b: SchemaNode): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === 'primitive') return sameLeaf(a, b);
  return 'name' in a && 'name' in b ? a.name === b.name : true;
}

function sameLeaf(a: SchemaNode, b: SchemaNode): boolean {
  if (a.kind === 'primitive' && b.kind === 'primitive') return a.type === b.type && a.logicalType === b.logicalType;
  if (a.kind !== 'fixed' || b.kind !== 'fixed') return false;
  return a.name === b.name && a.size === b.size && a.logicalType === b.logicalType;
}

function counterpart(now: FieldNode, older: readonly FieldNode[]): FieldNode | undefined {
  return older.find(({ name }) => name === now.name) ?? older.find(({ name }) => now.aliases.includes(name));
}
