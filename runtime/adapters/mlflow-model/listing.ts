/** The list of files that the registry keeps of a model that is no single ONNX file: `{source, files: [{path, hash, sizeBytes}]}`. */
import { MillraceError } from '../../ports/index.ts';

export interface ModelListing {
  /** Where clients find the files. */
  readonly source: string;
  /** Empty when they lie on another store. */
  readonly files: readonly ListedFile[];
}

export interface ListedFile {
  /** Below the folder of the model, with slashes. */
  readonly path: string;
  readonly hash: string;
  readonly sizeBytes: number;
}

const openBrace = 0x7b;

/** Whether the bytes can be a listing; no ONNX file begins so. */
export function isListing(bytes: Uint8Array): boolean {
  return bytes[0] === openBrace;
}

/** MODEL_REFUSED when they are none, or name a path outside of the model's folder. */
export function readListing(bytes: Uint8Array): ModelListing {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw refuse('it is no list of a model’s files', cause);
  }
  const { source, files } = (value ?? {}) as { readonly source?: unknown; readonly files?: unknown };
  if (typeof source !== 'string' || !Array.isArray(files) || !files.every(isFile)) {
    throw refuse('it is no list of a model’s files');
  }
  const outside = files.find(({ path }) =>
    path.split('/').some((part) => part === '' || part === '.' || part === '..'),
  );
  if (outside !== undefined || files.some(({ path }) => path.includes('\\') || path.includes('\0'))) {
    throw refuse(`a file lies outside of the model: ${JSON.stringify(outside?.path.slice(0, 80) ?? '')}`);
  }
  return { source, files };
}

function isFile(value: unknown): value is ListedFile {
  const { path, hash, sizeBytes } = (value ?? {}) as Partial<ListedFile>;
  return (
    typeof path === 'string' && path !== '' && /^[0-9a-f]{64}$/.test(hash ?? '') && Number.isSafeInteger(sizeBytes)
  );
}

export function refuse(problem: string, cause?: unknown): MillraceError {
  return new MillraceError('MODEL_REFUSED', `model refused: ${problem}`, cause === undefined ? {} : { cause });
}
