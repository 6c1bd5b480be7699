/** What registered models and their aliases may be called. Patterns are JavaScript's with the flag `u`, as JSON Schema has them. */

const model = '[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N}._ ()+-]{0,127}';
const alias = '[\\p{L}\\p{N}_-][\\p{L}\\p{M}\\p{N}._-]{0,254}';

export const modelNamePattern = `^${model}$`;

/** Without its ends: groups are the model, the version or `latest`, and the alias. */
export const modelReference = `models:/(${model})(?:/([1-9][0-9]{0,8}|latest)|@(${alias}))`;

const modelName = new RegExp(modelNamePattern, 'u');
const aliasName = new RegExp(`^${alias}$`, 'u');

/** `models:/wine@latest` is the newest version, whatever aliases there are; of `@v1` MLflow's clients could not say what it is. */
export const isLatest = (name: string): boolean => name.toLowerCase() === 'latest';
const isReserved = (name: string): boolean => isLatest(name) || /^v\d+$/i.test(name);

/** @returns what is wrong with the name; undefined: nothing */
export function modelProblem(name: string): string | undefined {
  return modelName.test(name)
    ? undefined
    : `model must be 1 to 128 letters, digits, spaces or any of . _ - + ( ), beginning with a letter or digit, got '${name.slice(0, 130)}'`;
}

/** @returns what is wrong with the name; undefined: nothing */
export function aliasProblem(name: string): string | undefined {
  if (!aliasName.test(name))
    return `alias must be 1 to 255 letters, digits, '.', '_' or '-', beginning with no '.', got '${name.slice(0, 260)}'`;
  if (isReserved(name))
    return `alias '${name}' is reserved: neither 'latest' nor a name like 'v1', in any case of letters`;
  return undefined;
}
