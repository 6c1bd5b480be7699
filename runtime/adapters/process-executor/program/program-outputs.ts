import { isUtf8 } from 'node:buffer';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { extname, join, relative, resolve, sep } from 'node:path';
import { messageOf } from '../../../ports/errors.ts';
import {
  type ArtifactCodec,
  artifactCodecs,
  decodeArtifact,
  encodeArtifact,
  headProblem,
} from '../../../../schemas/codec/artifact-value.ts';
import type { StepProgram } from '../../../ports/flow-code.ts';
import { type EncodedArtifact, type EncodedModel, inlineBytesMax, type LoggedByProgram } from '../protocol.ts';
import { extensions } from './artifact-files.ts';
import { parseLooseJson } from './loose-json.ts';
import { type LeftArtifact, type OutputManifest, readOutputManifest } from './output-manifest.ts';
import { userFailure } from './program-failure.ts';

export interface ProgramOutputs {
  readonly artifacts: readonly EncodedArtifact[];
  readonly models: readonly EncodedModel[];
  readonly values: LoggedByProgram | undefined;
  /** Files in the output folder that nothing names. */
  readonly unnamed: readonly string[];
}

export interface OutputFolders {
  /** Where the program left its files. */
  readonly output: string;
  /** The attempt's whole folder: nothing outside of it is taken. */
  readonly attempt: string;
  /** Where copies for the parent are put. */
  readonly handover: string;
}

/** What a program left: by its manifest, or as `<name>.<extension>` for what it was to leave. All that is missing is said at once. */
export function collectOutputs({ leaves }: Pick<StepProgram, 'leaves'>, folders: OutputFolders): ProgramOutputs {
  const manifest = readOutputManifest(folders.output);
  const taken = new Set(['manifest.json']);
  const artifacts: EncodedArtifact[] = [];
  const problems: string[] = [];
  for (const [name, { left, codec }] of Object.entries(wanted(leaves, manifest, folders.output, problems))) {
    try {
      artifacts.push(
        'value' in left ? valueOf(name, left.value, codec) : fileOf(name, left.path, codec, folders, taken),
      );
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  const models: EncodedModel[] = [];
  for (const { path, ...model } of manifest.models) {
    try {
      models.push({ ...model, artifact: fileOf('onnx', path, 'onnx', folders, taken) });
    } catch (error) {
      problems.push(`model '${model.model}': ${messageOf(error)}`);
    }
  }
  if (problems.length > 0) throw userFailure(problems.join('; '));
  return {
    artifacts,
    models,
    values: loggedOf(manifest),
    unnamed: filesBelow(folders.output).filter((file) => !taken.has(file)),
  };
}

interface Wanted {
  readonly left: LeftArtifact;
  readonly codec: ArtifactCodec;
}

function wanted(
  leaves: StepProgram['leaves'],
  manifest: OutputManifest,
  output: string,
  problems: string[],
): Readonly<Record<string, Wanted>> {
  const all: Record<string, Wanted> = {};
  for (const [name, left] of Object.entries({ ...valuesOf(manifest), ...manifest.artifacts })) {
    const said = 'value' in left ? 'json' : (left.codec ?? leaves[name] ?? codecOf(left.path));
    if (!isCodec(said)) problems.push(`artifact '${name}' is of codec '${said}': use ${known.join(', ')}`);
    else if (leaves[name] !== undefined && leaves[name] !== said)
      problems.push(`artifact '${name}' is to be left as ${leaves[name]}, but the manifest says ${said}`);
    else all[name] = { left, codec: said };
  }
  for (const [name, codec] of Object.entries(leaves)) {
    if (Object.hasOwn(manifest.artifacts, name) || all[name] !== undefined || !isCodec(codec)) continue;
    const file = `${name}${extensions[codec] ?? ''}`;
    if (file !== 'manifest.json' && existsSync(join(output, file))) all[name] = { left: { path: file, codec }, codec };
    else
      problems.push(
        `artifact '${name}' is missing: leave it as $MILLRACE_OUTPUT/${file}, or name its file in $MILLRACE_OUTPUT/manifest.json`,
      );
  }
  return all;
}

/** The same values are logged to the run. */
function loggedOf({ metrics = {}, params = {}, tags = {} }: OutputManifest): LoggedByProgram | undefined {
  const texts = Object.entries(params).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)),
  ]);
  const logged = { timestamp: Date.now(), metrics, params: Object.fromEntries(texts) as Record<string, string>, tags };
  return [metrics, params, tags].every((values) => Object.keys(values).length === 0) ? undefined : logged;
}

/** Metrics, parameters and tags of the manifest are artifacts of these names. */
function valuesOf({ metrics, params, tags }: OutputManifest): Readonly<Record<string, LeftArtifact>> {
  const values = Object.entries({ metrics, params, tags }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(values.map(([name, value]) => [name, { value }]));
}

function valueOf(name: string, value: unknown, codec: ArtifactCodec): EncodedArtifact {
  if (codec !== 'json') throw new TypeError(`artifact '${name}' is ${codec}, so it must be a file and not a value`);
  return { name, ...encodeArtifact(name, value) };
}

function fileOf(
  name: string,
  path: string,
  codec: ArtifactCodec,
  { output, attempt, handover }: OutputFolders,
  taken: Set<string>,
): EncodedArtifact {
  const place = resolve(output, path);
  const real = existsSync(place) ? realpathSync(place) : undefined;
  if (real === undefined) throw new TypeError(`artifact '${name}': there is no file '${path}' in the output folder`);
  if (!real.startsWith(realpathSync(attempt) + sep))
    throw new TypeError(
      `artifact '${name}': '${path}' leads out of the folder of the step, where nothing is taken from`,
    );
  const { size } = statSync(real);
  if (!statSync(real).isFile()) throw new TypeError(`artifact '${name}': '${path}' is no file`);
  taken.add(relative(output, place).split(sep).join('/'));
  const problem = headProblem(codec, headOf(real));
  if (problem !== undefined) throw new TypeError(`artifact '${name}': '${path}' is not ${problem}`);
  if (codec === 'json') return jsonOf(name, path, readFileSync(real));
  if (codec === 'text' && size < 256 * 1024 * 1024 && !isUtf8(readFileSync(real)))
    throw new TypeError(`artifact '${name}': '${path}' is not UTF-8 text`);
  if (size <= inlineBytesMax) return { name, codec, bytes: readFileSync(real) };
  // a copy of its own: what the program left running could still write to the file
  const copy = join(handover, randomBytes(12).toString('hex'));
  copyFileSync(real, copy, constants.COPYFILE_FICLONE);
  return { name, codec, path: copy };
}

/** Kept as it was written if it is JSON as we read it; NaN and Infinity are written as our codec does. */
function jsonOf(name: string, path: string, bytes: Buffer): EncodedArtifact {
  try {
    decodeArtifact('json', bytes);
    return { name, codec: 'json', bytes };
  } catch (first) {
    try {
      return { name, ...encodeArtifact(name, parseLooseJson(bytes.toString('utf8'))) };
    } catch {
      const why = messageOf(first);
      throw new TypeError(`artifact '${name}': '${path}' is no JSON: ${why}`, { cause: first });
    }
  }
}

function headOf(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(16);
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
  } finally {
    closeSync(file);
  }
}

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

const known = artifactCodecs.filter((codec) => codec !== 'json+bytes');

function isCodec(codec: string): codec is ArtifactCodec {
  return (known as readonly string[]).includes(codec);
}

function codecOf(path: string): ArtifactCodec {
  const extension = extname(path).toLowerCase();
  return known.find((codec) => extensions[codec] === extension) ?? 'bytes';
}
