import { MillraceError } from '../../runtime/ports/errors.ts';

/** Python's `shlex.quote`. */
export function quote(text: string): string {
  if (text === '') return "''";
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/**
 * An entry point's command as MLflow computes it: Python's `str.format` with the declared parameters, then each other one as
 * `--name value`. Values are quoted by the caller.
 */
export function commandLine(
  command: string,
  declared: Readonly<Record<string, string>>,
  extra: Readonly<Record<string, string>>,
): string {
  const problem = (what: string): MillraceError =>
    new MillraceError('INVALID_ARGUMENT', `the command '${command.slice(0, 200)}' ${what}`);
  const formatted = command.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (found, name: string | undefined) => {
    if (found === '{{' || found === '}}') return found.slice(1);
    if (name === undefined) throw problem(`has a single '${found}': write '${found}${found}' for the character itself`);
    if (!Object.hasOwn(declared, name))
      throw problem(`names {${name}}, which is no parameter: it has ${Object.keys(declared).join(', ') || 'none'}`);
    return declared[name] ?? '';
  });
  return [formatted, ...Object.entries(extra).map(([name, value]) => `--${name} ${value}`)].join(' ');
}
