/** An Avro schema with every name resolved: what the compatibility rules walk over. References to named types share the node. */
export type SchemaNode =
  | { readonly kind: 'primitive'; readonly type: string; readonly logicalType: string | undefined }
  | { readonly kind: 'array' | 'map'; readonly items: SchemaNode }
  | { readonly kind: 'union'; readonly branches: readonly SchemaNode[] }
  | { readonly kind: 'fixed'; readonly name: string; readonly size: number; readonly logicalType: string | undefined }
  | {
      readonly kind: 'enum';
      readonly name: string;
      readonly symbols: readonly string[];
      readonly fallback: string | undefined;
    }
  | { readonly kind: 'record'; readonly name: string; readonly fields: readonly FieldNode[] };

export interface FieldNode {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly hasDefault: boolean;
  readonly type: SchemaNode;
}

export type RecordNode = Extract<SchemaNode, { kind: 'record' }>;

/** Parses the JSON text of a schema that avsc has accepted. */
export function parseSchemaTree(text: string): SchemaNode {
  return build(JSON.parse(text), '', new Map());
}

/** The type in words, as it stands in messages. */
export function typeText(node: SchemaNode): string {
  switch (node.kind) {
    case 'primitive':
      return node.logicalType === undefined ? node.type : `${node.type} (${node.logicalType})`;
    case 'array':
    case 'map':
      return `${node.kind} of ${typeText(node.items)}`;
    case 'union':
      return `union of ${node.branches.map(typeText).join(', ')}`;
    default:
      return `${node.kind} ${node.name}`;
  }
}

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);

function build(schema: unknown, namespace: string, names: Map<string, SchemaNode>): SchemaNode {
  if (typeof schema === 'string') {
    if (primitives.has(schema)) return { kind: 'primitive', type: schema, logicalType: undefined };
    const node = names.get(fullName(schema, namespace)) ?? names.get(schema);
    if (node === undefined) throw new Error(`The schema names the type "${schema}", which it does not define before.`);
    return node;
  }
  if (Array.isArray(schema)) {
    return { kind: 'union', branches: schema.map((branch: unknown) => build(branch, namespace, names)) };
  }
  const object = schema as Record<string, unknown>;
  const logicalType = typeof object['logicalType'] === 'string' ? object['logicalType'] : undefined;
  switch (object['type']) {
    case 'array':
      return { kind: 'array', items: build(object['items'], namespace, names) };
    case 'map':
      return { kind: 'map', items: build(object['values'], namespace, names) };
    case 'record':
    case 'error':
    case 'enum':
    case 'fixed':
      return buildNamed(object, logicalType, namespace, names);
    default: {
      const inner = build(object['type'], namespace, names);
      return inner.kind === 'primitive' ? { ...inner, logicalType: logicalType ?? inner.logicalType } : inner;
    }
  }
}

function buildNamed(
  object: Record<string, unknown>,
  logicalType: string | undefined,
  outer: string,
  names: Map<string, SchemaNode>,
): SchemaNode {
  const space = typeof object['namespace'] === 'string' ? object['namespace'] : outer;
  const name = fullName(String(object['name']), space);
  const namespace = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
  if (object['type'] === 'fixed') {
    return remember(names, { kind: 'fixed', name, size: Number(object['size']), logicalType });
  }
  if (object['type'] === 'enum') {
    const fallback = typeof object['default'] === 'string' ? object['default'] : undefined;
    return remember(names, { kind: 'enum', name, symbols: object['symbols'] as string[], fallback });
  }
  const fields: FieldNode[] = [];
  remember(names, { kind: 'record', name, fields }); // before its fields: they may refer to it
  for (const field of object['fields'] as Record<string, unknown>[]) {
    fields.push({
      name: String(field['name']),
      aliases: Array.isArray(field['aliases']) ? field['aliases'].map(String) : [],
      hasDefault: 'default' in field,
      type: build(field['type'], namespace, names),
    });
  }
  return names.get(name) as SchemaNode;
}

function remember(names: Map<string, SchemaNode>, node: SchemaNode & { readonly name: string }): SchemaNode {
  names.set(node.name, node);
  return node;
}

const fullName = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
