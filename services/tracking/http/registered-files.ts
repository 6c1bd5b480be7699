/**
 * Files of model versions that flows have registered. A flow gives the registry one ONNX file and no folder; here it is one, with an MLmodel
 * file, so that MLflow's clients load it: `mlflow-artifacts:/registered/<sha256>`, MLmodel and model.onnx in it.
 */
import { onnxFile, onnxMlmodel } from '../../../schemas/codec/onnx-mlmodel.ts';
import type { Tracking } from '../tracking.ts';
import type { TrackingRows } from '../tables.ts';

const folder = 'registered';
type Version = Pick<TrackingRows['model_versions'], 'source' | 'artifact_hash' | 'artifact_codec'>;

/** Where clients find the files of a version. */
export function sourceOf({ source, artifact_hash: hash, artifact_codec: codec }: Version): string {
  return source === '' && codec === 'onnx' ? `mlflow-artifacts:/${folder}/${hash}` : source;
}

export interface RegisteredFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of the blob; of MLmodel `text` is all there is. */
  readonly hash: string;
  readonly text?: string;
}

/** undefined: the location is none of a registered file, such as `registered/<sha256>`, with a path behind it or not. */
export async function registeredFiles(
  tracking: Tracking,
  location: string,
): Promise<readonly RegisteredFile[] | undefined> {
  const [, hash, path = ''] = /^registered\/([0-9a-f]{64})(?:\/(.+))?$/.exec(location) ?? [];
  if (hash === undefined) return undefined;
  const database = await tracking.fresh('registry');
  const version = await database
    .selectFrom('model_versions')
    .select('created_ms')
    .where('artifact_hash', '=', hash)
    .where('artifact_codec', '=', 'onnx')
    .orderBy('created_ms')
    .executeTakeFirst();
  const blob = version === undefined ? undefined : await tracking.runtime.parts.blobs.stat(hash);
  if (version === undefined || blob === undefined) return [];
  const text = onnxMlmodel({ createdMs: version.created_ms });
  const files: readonly RegisteredFile[] = [
    { path: 'MLmodel', sizeBytes: Buffer.byteLength(text), hash: '', text },
    { path: onnxFile, sizeBytes: blob.sizeBytes, hash },
  ];
  return files.filter((file) => path === '' || file.path === path);
}
