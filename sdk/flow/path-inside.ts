import { invalidArgument } from '../../runtime/ports/errors.ts';

/** A path below the folder of the flow's file, in its shortest form. */
export function pathInside(who: string, path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.pop() === undefined) throw outside(who, path);
    } else parts.push(part);
  }
  if (path.startsWith('/') || path.includes('\\') || path.includes('\0')) throw outside(who, path);
  return parts.join('/') || '.';
}

function outside(who: string, path: string): Error {
  return invalidArgument(
    `${who} needs '${path}', which is not below the folder of the flow's file: move or copy it there`,
  );
}
