/**
 * What belongs to a model version beside its file and is deployed with it, named by `models:/<model>@<alias>#<name>`: the sample of its
 * training data, a detector that was fitted to it. When a deployment follows the alias, it moves with the model.
 */
import { attachedTag } from './codec/attached-tag.ts';
import { modelReference } from './codec/model-names.ts';
import type { DeploymentDocument } from './deployment-document.ts';

export interface AttachedReference {
  /** `models:/…` without the name. */
  readonly of: string;
  readonly model: string;
  readonly alias?: string;
  readonly name: string;
}

export const attachedPattern = `^(${modelReference})#([A-Za-z0-9][A-Za-z0-9._-]{0,63})$`;
const pattern = new RegExp(attachedPattern, 'u');

/** undefined: the text is no such reference. */
export function parseAttached(text: string): AttachedReference | undefined {
  const [, of, model, , alias, name] = pattern.exec(text) ?? [];
  if (of === undefined || model === undefined || name === undefined) return undefined;
  return { of, model, name, ...(alias === undefined ? {} : { alias }) };
}

/** What is wrong with tags that say what is attached; undefined: nothing, or they say nothing of it. */
export function attachedProblem(tags: Readonly<Record<string, string>>): string | undefined {
  const wrong = Object.entries(tags).find(([tag, value]) => tag.startsWith(attachedTag) && !isHash(value));
  if (wrong === undefined) return undefined;
  const [tag, value] = wrong;
  return `tag '${tag.slice(0, 80)}' names what is attached, by a sha256 of 64 hex characters, got '${value.slice(0, 80)}'`;
}

const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** Content hashes by name, from the tags of a model version; what is no hash is none. */
export function attachedOf(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(tags).flatMap(([tag, hash]) =>
      tag.startsWith(attachedTag) && isHash(hash) ? [[tag.slice(attachedTag.length), hash]] : [],
    ),
  );
}

/** The monitors with the hash that `find` gives for each reference; what it does not know stays as it is. */
export function withAttached<M extends DeploymentDocument['monitors']>(
  monitors: M,
  find: (reference: AttachedReference, where: string) => string | undefined,
): M {
  const hashOf = (text: string | undefined, where: string): string | undefined => {
    const reference = text === undefined ? undefined : parseAttached(text);
    return reference === undefined ? undefined : find(reference, where);
  };
  const referenceHash = hashOf(monitors.reference, 'monitors.reference');
  const detectors = monitors.detectors?.map((detector) => {
    const fittedHash = hashOf(detector.fitted, `detector '${detector.name}'`);
    return fittedHash === undefined ? detector : { ...detector, fittedHash };
  });
  return {
    ...monitors,
    ...(referenceHash === undefined ? {} : { referenceHash }),
    ...(detectors === undefined ? {} : { detectors }),
  };
}
