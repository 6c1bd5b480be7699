/** What models and aliases may be called. */

/** @returns what is wrong with the name; undefined: nothing */
export function modelProblem(model: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9._ ()+-]{0,127}$/.test(model)
    ? undefined
    : `model must be 1 to 128 letters, digits, spaces or any of . _ - + ( ), beginning with a letter or digit, got '${model.slice(0, 130)}'`;
}

/** @returns what is wrong with the name; undefined: nothing */
export function aliasProblem(alias: string): string | undefined {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(alias) || alias === 'latest' || /^v\d+$/.test(alias)) {
    return `alias must be 1 to 255 letters, digits, '.', '_' or '-', beginning with none of '.' and '-', and neither 'latest' nor like 'v1', got '${alias.slice(0, 70)}'`;
  }
  return undefined;
}
