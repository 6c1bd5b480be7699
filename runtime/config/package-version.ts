import { readFileSync } from 'node:fs';

/** From the package.json above this file, whether it runs from sources or from `dist`. */
export function packageVersion(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // one level further up
    }
  }
  return '0.0.0';
}
