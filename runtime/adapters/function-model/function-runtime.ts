/**
 * ModelRuntime over functions that the program brings: a "file" is the UTF-8 text `millrace-function:<name>`, so that a function can
 * stand where a model file does. Nothing in the file is run.
 */
import { type LoadedModel, MillraceError, type ModelRuntime } from '../../ports/index.ts';
import { createFunctionModel, type FunctionModelDefinition } from './function-model.ts';

const prefix = 'millrace-function:';

/** The bytes that name a function of a {@link createFunctionRuntime}. */
export function functionModelFile(name: string): Uint8Array {
  return Buffer.from(`${prefix}${name}`);
}

/** Throws INVALID_ARGUMENT when two functions have one name. */
export function createFunctionRuntime(functions: readonly FunctionModelDefinition[]): ModelRuntime {
  const byName = new Map(functions.map((definition) => [definition.name, definition]));
  if (byName.size !== functions.length) throw new MillraceError('INVALID_ARGUMENT', 'two functions have one name');
  return {
    load(bytes) {
      return new Promise<LoadedModel>((resolve) => {
        resolve(createFunctionModel(find(bytes, byName)));
      });
    },
  };
}

function find(bytes: Uint8Array, byName: ReadonlyMap<string, FunctionModelDefinition>): FunctionModelDefinition {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 128)).toString('utf8');
  if (bytes.length > 128 || !text.startsWith(prefix)) {
    throw new MillraceError('MODEL_REFUSED', `model refused: it does not name a function as ${prefix}<name>`);
  }
  const name = text.slice(prefix.length);
  const definition = byName.get(name);
  if (definition === undefined) {
    const known = [...byName.keys()].join(', ') || 'none';
    throw new MillraceError(
      'MODEL_REFUSED',
      `model refused: there is no function ${JSON.stringify(name)}; there are: ${known}`,
    );
  }
  return definition;
}
