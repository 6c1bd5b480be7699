import { join } from 'node:path';

/** A file of the project, from whose folder benchmarks are run: it lies there whether they run as sources or compiled. */
export function projectFile(path: string): string {
  return join(process.cwd(), path);
}
