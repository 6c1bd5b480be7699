import { invalidArgument } from '../../../runtime/ports/errors.ts';
/**
 * Paths of artifacts. They are keys of a table and never become paths of a file system, so nothing outside of a run can be reached by
 * them; what looks like an attempt is refused all the same, by the classes of MLflow's published advisories: parent folders, absolute
 * paths, drives and other schemes, backslashes and control characters, and what would leave its folder where it is decoded again. A percent
 * sign is a character like others: MLflow's `log_image` of 2.17 has them in names, before digits that encode nothing.
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
  const problem = problemOf(path);
  if (problem !== undefined) throw refused(path, problem);
  for (let text = path, times = 0; ; times += 1) {
    const decoded = looselyDecoded(text);
    if (decoded === text) return path;
    if (times > 5) throw refused(path, 'it is encoded again and again');
    if (leavesItsFolder(decoded)) throw refused(path, 'decoded once more it leaves its folder');
    text = decoded;
  }
}

function leavesItsFolder(path: string): boolean {
  const slashed = path.replaceAll('\\', '/');
  return slashed.startsWith('/') || isScheme(path) || slashed.split('/').includes('..');
}

function problemOf(path: string): string | undefined {
  if (/[\p{Cc}\p{Cs}\ufffd]/u.test(path)) return 'it holds control characters or half a character';
  if (path.includes('\\')) return 'it holds a backslash';
  if (path.startsWith('/') || path.startsWith('~')) return 'it is absolute';
  if (isScheme(path)) return 'it names a drive or a scheme';
  if (/[?#]/.test(path)) return 'it holds a query or a fragment';
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') return `it has the part '${segment}'`;
    if (segment.length > segmentMax) return `a part of it is longer than ${segmentMax} characters`;
  }
  return undefined;
}

const isScheme = (path: string): boolean => /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path);

function decodedOnce(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refused(path, 'its percent signs do not stand for bytes');
  }
}

/** Also characters that are encoded in two bytes instead of one. A percent sign that encodes none of these is a percent sign. */
function looselyDecoded(path: string): string {
  const byte = (hex: string): number => Number.parseInt(hex, 16);
  return path
    .replace(/%(c[01])%([89ab][0-9a-f])/gi, (_, first: string, second: string) =>
      String.fromCharCode(((byte(first) & 0x1f) << 6) | (byte(second) & 0x3f)),
    )
    .replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(byte(hex)));
}

function refused(path: string, problem: string) {
  return invalidArgument(
    `Invalid path: '${path.slice(0, 80)}': ${problem}; it must be relative, such as model/MLmodel`,
  );
}
