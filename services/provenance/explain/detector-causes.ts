/**
 * Finding → the detector as its deployment's document has it: method, threshold and how that came about → what it compares with, or the
 * file that it was fitted to → the run that made that.
 */
import { messageOf } from '../../../runtime/ports/errors.ts';
import { attachedOf, parseAttached } from '../../../schemas/attached.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import { type Detector, detectorsOf } from '../../../schemas/detectors.ts';
import type { DriftAssessed, OutliersAssessed } from '../../../schemas/events.ts';
import { parseOutlierDetector } from '../../../schemas/outlier-detector.ts';
import { problemOf } from './link.ts';
import { addRun, addTask } from './run-causes.ts';
import type { Walk } from './walk.ts';

type Assessed =
  | { readonly type: 'drift-assessed'; readonly data: DriftAssessed }
  | { readonly type: 'outliers-assessed'; readonly data: OutliersAssessed };

export async function addDetector(
  walk: Walk,
  assessed: Assessed,
  document: DeploymentDocument | undefined,
  under: number,
): Promise<void> {
  const { links } = walk;
  const { data } = assessed;
  const detector = document && detectorsOf(document).find(({ name }) => name === data.detector);
  const at = links.add(
    {
      kind: 'detector',
      id: data.detector,
      text: `${data.method} version ${data.methodVersion} of the ${data.target}, ${await judgedBy(walk, assessed, detector)}`,
      check: 'as the document of the deployment has it',
      ...problemOf(mismatch(assessed, document, detector)),
    },
    under,
  );
  const fitted = assessed.type === 'outliers-assessed' ? assessed.data.detectorHash : '';
  if (fitted !== '') {
    const settings = document?.monitors.detectors?.find(({ name }) => name === data.detector);
    const file = await walk.reader.addBlob(links, 'fitted', fitted, 'the detector, as it was fitted before', at);
    await addOrigin(walk, fitted, settings?.fitted, file);
  }
  if (data.referenceHash !== '') {
    const text = referenceTexts(detector?.reference);
    const sample = await walk.reader.addBlob(links, 'reference', data.referenceHash, text, at);
    if (detector?.reference?.kind !== 'first' && detector?.reference?.kind !== 'window')
      await addOrigin(walk, data.referenceHash, document?.monitors.reference, sample);
  }
}

function referenceTexts(reference: Detector['reference']): string {
  if (reference?.kind === 'first') return `the first ${reference.rows} rows, with which the window was compared`;
  if (reference?.kind === 'window') return `the window ${reference.back} before, with which it was compared`;
  return 'what the window was compared with';
}

/** When a row, or a window, is a finding. */
async function judgedBy(walk: Walk, assessed: Assessed, detector: Detector | undefined): Promise<string> {
  if (assessed.type === 'outliers-assessed') {
    const { threshold, falsePositiveRate, detectorHash } = assessed.data;
    const beyond = `outliers score above ${threshold.toPrecision(4)}`;
    if (detector?.threshold !== undefined) return `${beyond}, which was given`;
    if (detectorHash === '') return `${beyond}, as ${shareText(falsePositiveRate)} of the reference does`;
    return `${beyond}, ${await thresholdOfFile(walk, detectorHash)}`;
  }
  const { alpha, correction, minEffectSize, features } = assessed.data;
  const effect = `an effect of at least ${minEffectSize}`;
  if (detector !== undefined && features.every(({ pValue }) => Number.isNaN(pValue))) return `drift is ${effect}`;
  const of = features.length === 1 ? '' : ` over ${features.length} columns (${correction})`;
  return `drift is p at most ${alpha}${of} and ${effect}`;
}

async function thresholdOfFile({ reader }: Walk, hash: string): Promise<string> {
  try {
    const { falsePositiveRate, threshold } = parseOutlierDetector(await reader.blob(hash));
    if (falsePositiveRate === null) return 'which was given when it was fitted';
    return `as ${shareText(falsePositiveRate)} of ${threshold === null ? 'the sample in its file' : 'the rows that it was fitted to'} does`;
  } catch (error) {
    return `by its file, which cannot be read: ${messageOf(error)}`;
  }
}

const shareText = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** What the finding says of its detector that the document does not. */
function mismatch(
  assessed: Assessed,
  document: DeploymentDocument | undefined,
  detector: Detector | undefined,
): string | undefined {
  const { data } = assessed;
  if (document === undefined) return 'the deployment is not known';
  if (detector === undefined) return `the document of the deployment has no detector '${data.detector}'`;
  const { method, reference, fittedHash, threshold } = detector;
  if (method !== data.method) return `the document says method ${method}, the finding ${data.method}`;
  if (assessed.type === 'outliers-assessed') {
    const { data } = assessed;
    if ((fittedHash ?? '') !== data.detectorHash)
      return `the document names the fitted detector '${fittedHash ?? ''}', the finding '${data.detectorHash}'`;
    if (threshold !== undefined && threshold !== data.threshold)
      return `the document says threshold ${threshold}, the finding ${data.threshold}`;
  }
  if (reference?.kind === 'artifact' && data.referenceHash !== '' && reference.hash !== data.referenceHash)
    return `the document names the reference ${reference.hash}, the finding ${data.referenceHash}`;
  return undefined;
}

/** Of a sample or a fitted detector: the model version that it is attached to, or the task that wrote it; nothing of one that was uploaded. */
async function addOrigin(walk: Walk, hash: string, reference: string | undefined, under: number): Promise<void> {
  const { reader, database, links } = walk;
  const attached = reference === undefined ? undefined : parseAttached(reference);
  if (attached !== undefined) return await addAttachedTo(walk, hash, attached.model, under);
  const written = await database.selectFrom('artifacts').selectAll().where('hash', '=', hash).executeTakeFirst();
  if (written === undefined) return;
  const said = { kind: 'written', id: `${written.step}.${written.name}`, text: `as ${written.codec}` };
  const at = await reader.addFact(links, 'artifacts', written, said, under);
  await addRun(walk, written.run_id, await addTask(walk, written.run_id, written.task_id, at));
}

const versionsLookedAt = 50;

async function addAttachedTo(walk: Walk, hash: string, model: string, under: number): Promise<void> {
  const { reader, database, links } = walk;
  const versions = await database
    .selectFrom('versions')
    .selectAll()
    .where('model', '=', model)
    .orderBy('version', 'desc')
    .limit(versionsLookedAt)
    .execute();
  const unreadable: string[] = [];
  for (const row of versions) {
    const fact = await reader.fact('registry', row).catch((error: unknown) => void unreadable.push(messageOf(error)));
    if (fact?.event.type !== 'version-registered') continue;
    const [name] = Object.entries(attachedOf(fact.event.data.tags)).find(([, one]) => one === hash) ?? [];
    if (name === undefined) continue;
    const said = { kind: 'model-version', id: `${model} v${row.version}`, text: `has it attached as ${name}` };
    const at = reader.add(links, fact, { ...said, check: 'names the same hash' }, under);
    if (row.run_id !== null) {
      const task = row.task_id === null ? at : await addTask(walk, row.run_id, row.task_id, at);
      await addRun(walk, row.run_id, task);
    }
    return;
  }
  // Attached to a version by a tag that came later, or long ago.
  const problem = problemOf(unreadable.length === 0 ? undefined : unreadable.join('; '));
  const text = 'has it attached, by a tag, or is an older version';
  links.add({ kind: 'model', id: model, text, check: 'named by the document of the deployment', ...problem }, under);
}
