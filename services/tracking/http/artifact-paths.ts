import { invalidArgument } from '../../../runtime/ports/errors.ts';
/**
 * Paths of artifacts. They are keys of a table and never become paths of a file system, so nothing outside of a run can be reached by
 * them; what looks like an attempt is refused all the same, by the classes of MLflow's published advisories: parent folders, absolute
 * paths, drives and other schemes, backslashes, encodings of any of these (once or several times), and control characters.
 */

const pathMax = 2_000;
const segmentMax = 255;

/** The path below `prefix` in the URL of a call, decoded once. */
export function pathOfUrl(url: string, prefix: string): string {
  const [path = ''] = url.split(/[?#]/, 1);
  const at = path.indexOf(prefix);
  return artifactPath(decodedOnce(path.slice(at + prefix.length)));
}

/** INVALID_ARGUMENT unless it is a plain relative path. `''` is the root. */
export function artifactPath(path: string): string {
  if (path === '') return '';
  if (path.length > pathMax) throw refused(path, `it is longer than ${pathMax} characters`);
  for (let text = path, times = 0; ; times += 1) {
    const problem = problemOf(text);
    if (problem !== undefined) throw refused(path, problem);
    const decoded = looselyDecoded(text);
    if (decoded === text) return path;
    if (times > 5) throw refused(path, 'it is encoded again and again');
    text = decoded;
  }
}

function problemOf(path: string): string | undefined {
  if (/[\p{Cc}\p{Cs}\ufffd]/u.test(path)) return 'it holds control characters or half a character';
  if (/%(?:c[01]|f[5-f])/i.test(path)) return 'it holds bytes that are no text';
  if (path.includes('\\')) return 'it holds a backslash';
  if (path.startsWith('/') || path.startsWith('~')) return 'it is absolute';
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return 'it names a drive or a scheme';
  if (/[?#]/.test(path)) return 'it holds a query or a fragment';
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') return `it has the part '${segment}'`;
    if (segment.length > segmentMax) return `a part of it is longer than ${segmentMax} characters`;
  }
  return undefined;
}

function decodedOnce(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refused(path, 'its percent signs do not stand for bytes');
  }
}

/** A percent sign that encodes nothing is a percent sign. */
function looselyDecoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}

function refused(path: string, problem: string) {
  return invalidArgument(
    `Invalid path: '${path.slice(0, 80)}': ${problem}; it must be relative, such as model/MLmodel`,
  );
}
