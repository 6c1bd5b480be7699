/**
 * Events and facets of OpenLineage 2-0-2 (https://openlineage.io/spec/2-0-2/OpenLineage.json), as far as runs need them. A facet names
 * the version of the schema that it follows; those that begin with `millrace` are our own.
 */
import { derivedId } from '../../schemas/derived-ids.ts';

/** A change of what the events look like is a new one. */
export const producer = 'urn:millrace:lineage:1';

const schemaUrl = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';

export interface Facet {
  readonly _producer: string;
  readonly _schemaURL: string;
}
export type Facets = Readonly<Record<string, Facet>>;

export interface Job {
  readonly namespace: string;
  readonly name: string;
}

export interface Dataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets: Facets;
  readonly outputFacets?: Facets;
}

export interface RunEvent {
  readonly eventType: 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: Job & { readonly facets: Facets };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
}

export function runEvent(
  eventType: RunEvent['eventType'],
  timeMs: number,
  about: Pick<RunEvent, 'run' | 'job'> & Partial<Pick<RunEvent, 'inputs' | 'outputs'>>,
): RunEvent {
  const { run, job, inputs = [], outputs = [] } = about;
  const eventTime = new Date(timeMs).toISOString();
  return { eventType, eventTime, producer, schemaURL: schemaUrl, run, job, inputs, outputs };
}

/** A facet of the specification. */
export function facet<T extends object>(name: string, version: string, fields: T): Facet & T {
  return {
    _producer: producer,
    _schemaURL: `https://openlineage.io/spec/facets/${version}/${name}.json#/$defs/${name}`,
    ...fields,
  };
}

/** A facet of our own. */
export function ownFacet<T extends object>(name: string, fields: T): Facet & T {
  return { _producer: producer, _schemaURL: `${producer}:${name}`, ...fields };
}

export const jobType = (kind: 'FLOW' | 'STEP'): Facet =>
  facet('JobTypeJobFacet', '2-0-3', { processingType: 'BATCH', integration: 'MILLRACE', jobType: kind });

export const errorMessage = (message: string): Facet =>
  facet('ErrorMessageRunFacet', '1-0-1', { message, programmingLanguage: 'TypeScript' });

/** What OpenLineage knows a run of ours by: its id as a UUID, or one that follows from it. */
export function uuidOf(...parts: readonly [string, ...string[]]): string {
  const [only] = parts;
  const id = parts.length === 1 && /^[0-9a-f]{32}$/.test(only) ? only : derivedId(0, ...parts);
  return id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

interface Content {
  readonly name: string;
  readonly hash: string;
  readonly sizeBytes?: number;
  readonly codec?: string;
}

/** An artifact is a dataset, its content the dataset's version. */
export function artifactDataset({ namespace, name }: Job, { hash, codec, ...content }: Content): Dataset {
  const version = facet('DatasetVersionDatasetFacet', '1-0-1', { datasetVersion: `sha256:${hash}` });
  const storage =
    codec === undefined
      ? {}
      : { storage: facet('StorageDatasetFacet', '1-0-1', { storageLayer: 'millrace', fileFormat: codec }) };
  return {
    namespace,
    name: `${name}/${content.name}`,
    facets: { version, ...storage },
    ...statistics(content.sizeBytes),
  };
}

/** A registered model is one of the namespace, whichever flow has made it. */
export function modelDataset(namespace: string, { name, hash }: Content): Dataset {
  const version = facet('DatasetVersionDatasetFacet', '1-0-1', { datasetVersion: `sha256:${hash}` });
  return { namespace, name: `models/${name}`, facets: { version } };
}

function statistics(size: number | undefined): { readonly outputFacets?: Facets } {
  if (size === undefined) return {};
  return { outputFacets: { outputStatistics: facet('OutputStatisticsOutputDatasetFacet', '1-0-2', { size }) } };
}
