/**
 * The causal chain of one prediction, from the log: prediction → route → model version → artifact → task → run → bundle → trigger, and what
 * came of it: feedback, reward, drift and outliers of its window. The query store only says where facts lie; each link is checked
 * against the log and the blob store.
 */
import { createHash } from 'node:crypto';
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import { type DeploymentDocument, routeOf } from '../../schemas/deployment-document.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { inputDigest } from '../../schemas/input-digest.ts';
import type { ProvenanceStore } from './index.ts';

export interface Link {
  /** `prediction`, `route`, `deployment`, `model-version`, `artifact`, `task`, `run`, `bundle`, `trigger`, `feedback`, `reward`, `drift`, `outlier`. */
  readonly kind: string;
  readonly id: string;
  /** What a person reads. */
  readonly text: string;
  /** Where the fact lies: `<topic>/<partition>@<offset>`; absent for blobs. */
  readonly at?: string;
  /** sha256 of the record or blob. */
  readonly hash?: string;
  readonly verified: boolean;
  /** Why not, when not verified. */
  readonly problem?: string;
  /** How the link was checked. */
  readonly check: string;
}

export interface CausalChain {
  readonly id: string;
  readonly verified: boolean;
  /** From the prediction back to its first cause. */
  readonly causes: readonly Link[];
  /** What came of it. */
  readonly effects: readonly Link[];
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** NOT_FOUND when the query store has no such prediction. */
export async function explainPrediction(id: string, runtime: Runtime, store: ProvenanceStore): Promise<CausalChain> {
  const { database } = store;
  const row = await database.selectFrom('predictions').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined)
    throw new MillraceError(
      'NOT_FOUND',
      `no prediction ${id} is known: check the id with \`millrace tail predictions\``,
    );
  const reader = new LinkReader(runtime);
  const causes: Link[] = [];
  const prediction = await reader.event('predictions', {
    topic: 'predictions',
    partition: row.partition,
    offset: row.offset,
  });
  if (prediction.event.type === 'prediction-failed') {
    const { code, message, deployment } = prediction.event.data;
    causes.push(
      reader.link(prediction, {
        kind: 'prediction',
        id,
        text: `failed for ${deployment}: ${code}, ${message}`,
        check: 'record read back',
        problem: undefined,
      }),
    );
    return chain(id, causes, []);
  }
  if (prediction.event.type !== 'prediction-completed')
    throw new MillraceError('CORRUPT', `the record of prediction ${id} holds a ${prediction.event.type}`);
  const data = prediction.event.data;
  const digest = inputDigest(data.inputs);
  causes.push(
    reader.link(prediction, {
      kind: 'prediction',
      id,
      text: `${data.deployment} answered ${data.rows} row(s) for entity ${data.entity}`,
      check: 'digest of the recorded inputs',
      problem:
        digest === data.inputDigest
          ? undefined
          : `the inputs have digest ${digest}, the record says ${data.inputDigest}`,
    }),
  );

  const deployed = await database
    .selectFrom('deployments')
    .selectAll()
    .where('deployment', '=', data.deployment)
    .where('version', '=', data.deploymentVersion)
    .executeTakeFirst();
  let document: DeploymentDocument | undefined;
  if (deployed === undefined) causes.push(missing('deployment', `${data.deployment} v${data.deploymentVersion}`));
  else {
    const applied = await reader.event('deployment-events', deployed);
    const facts = applied.event.type === 'deployment-applied' ? applied.event.data : undefined;
    document = facts === undefined ? undefined : (JSON.parse(facts.document) as DeploymentDocument);
    const route = document === undefined ? undefined : routeOf(id, document.routes);
    const recorded = document?.routes.find(({ name }) => name === data.route);
    causes.push({
      kind: 'route',
      id: data.route,
      text: `route ${data.route} of ${document?.routes.map(({ name, weight }) => `${name}:${weight}`).join(' ') ?? '?'}`,
      check: 'route computed again from the prediction id',
      ...verdict(
        route?.name === data.route && recorded?.artifactHash === data.artifactHash
          ? undefined
          : `computed ${route?.name ?? 'none'}, recorded ${data.route}`,
      ),
    });
    causes.push(
      reader.link(applied, {
        kind: 'deployment',
        id: `${data.deployment} v${data.deploymentVersion}`,
        text: `deployed by ${deployed.actor}`,
        check: 'record read back',
        problem: facts === undefined ? 'the record is no deployment' : undefined,
      }),
    );
  }

  const version = await database
    .selectFrom('versions')
    .selectAll()
    .where('model', '=', data.model)
    .where('version', '=', data.modelVersion)
    .executeTakeFirst();
  if (version === undefined) causes.push(missing('model-version', `${data.model} v${data.modelVersion}`));
  else {
    const registered = await reader.event('registry', version);
    const facts = registered.event.type === 'version-registered' ? registered.event.data : undefined;
    const problem =
      facts?.artifact.hash === data.artifactHash
        ? undefined
        : `the version names ${facts?.artifact.hash ?? 'nothing'}, the prediction ${data.artifactHash}`;
    causes.push(
      reader.link(registered, {
        kind: 'model-version',
        id: `${data.model} v${data.modelVersion}`,
        text: `registered by ${version.actor}`,
        check: 'names the same artifact hash',
        problem,
      }),
    );
  }
  causes.push(await reader.blob('artifact', data.artifactHash, 'model file'));
  if (version?.run_id !== null && version?.run_id !== undefined)
    await explainRun(version.run_id, version.task_id, data.artifactHash, reader, store, causes);
  return chain(id, causes, await effectsOf(id, reader, store, document));
}

async function explainRun(
  runId: string,
  taskId: string | null,
  artifactHash: string,
  reader: LinkReader,
  { database }: ProvenanceStore,
  causes: Link[],
): Promise<void> {
  const task =
    taskId === null
      ? undefined
      : await database
          .selectFrom('tasks')
          .selectAll()
          .where('run_id', '=', runId)
          .where('task_id', '=', taskId)
          .executeTakeFirst();
  if (task !== undefined) {
    const started = await reader.event('runs', task);
    causes.push(
      reader.link(started, {
        kind: 'task',
        id: task.task_id,
        text: `attempt ${task.attempt} by ${task.worker}`,
        check: 'record read back',
        problem: undefined,
      }),
    );
  }
  const inputs = await database
    .selectFrom('artifacts')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('offset')
    .execute();
  for (const artifact of inputs.filter(({ hash }) => hash !== artifactHash)) {
    const text = `${artifact.step}.${artifact.name}`;
    causes.push(
      artifact.inline === null
        ? await reader.blob('artifact', artifact.hash, text)
        : reader.bytes('artifact', artifact.hash, text, Buffer.from(artifact.inline, 'base64')),
    );
  }
  const run = await database.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirst();
  if (run === undefined) {
    causes.push(missing('run', runId));
    return;
  }
  const requested = await reader.event('runs', run);
  const facts = requested.event.type === 'run-requested' ? requested.event.data : undefined;
  causes.push(
    reader.link(requested, {
      kind: 'run',
      id: runId,
      text: `flow ${run.flow} v${run.version}, ${run.status}`,
      check: 'record read back',
      problem: facts?.runId === runId ? undefined : 'the record is no request of this run',
    }),
  );
  causes.push(await reader.blob('bundle', run.bundle_hash, `code of flow ${run.flow}`));
  const position = facts?.cause.position;
  if (position !== null && position !== undefined) {
    const trigger = await reader.raw({ topic: position.topic, partition: position.partition, offset: position.offset });
    causes.push({
      kind: 'trigger',
      id: run.cause_id,
      text: trigger.text,
      at: placeText(position),
      ...(trigger.hash === undefined ? {} : { hash: trigger.hash }),
      check: 'record read back',
      ...verdict(trigger.problem),
    });
  } else
    causes.push({
      kind: run.cause_kind,
      id: run.cause_id,
      text: `started by ${run.actor}`,
      check: 'named in the request of the run',
      verified: true,
    });
}

async function effectsOf(
  id: string,
  reader: LinkReader,
  { database }: ProvenanceStore,
  document: DeploymentDocument | undefined,
): Promise<Link[]> {
  const effects: Link[] = [];
  const feedback = await database
    .selectFrom('feedback')
    .selectAll()
    .where('prediction_id', '=', id)
    .orderBy('offset')
    .execute();
  for (const row of feedback) {
    const topic = row.kind === 'received' ? 'predictions' : 'rewards';
    const fact = await reader.event(topic, row);
    effects.push(
      reader.link(fact, {
        kind: row.kind === 'received' ? 'feedback' : 'reward',
        id: row.id,
        text: describeFeedback(fact.event as never),
        check: 'record read back',
        problem: undefined,
      }),
    );
  }
  const outliers = await database.selectFrom('outlier_rows').selectAll().where('prediction_id', '=', id).execute();
  for (const { window_id, score } of outliers) {
    effects.push({
      kind: 'outlier',
      id: window_id,
      text: `outlier with score ${score.toFixed(1)}${document === undefined ? '' : ` for ${document.name}`}`,
      check: 'named by its window',
      verified: true,
    });
  }
  return effects;
}

function describeFeedback(event: { type: string; data: Readonly<Record<string, unknown>> }): string {
  const { data } = event;
  if (event.type === 'feedback-received')
    return `truth ${String(data['truth'] ?? data['label'] ?? '-')} by ${String(data['actor'])}`;
  if (event.type === 'reward-recorded') return `error ${String(data['error'])}, reward ${String(data['reward'])}`;
  return `feedback ${String(data['outcome'] ?? event.type)}`;
}

/** Reads facts back and hashes them. */
class LinkReader {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  async event<T extends EventTopic>(
    topic: T,
    place: Place,
  ): Promise<{ event: FollowedEvent<T>; record: LogRecord; place: Place }> {
    const record = await this.#read({ ...place, topic: this.#runtime.topic(topic) });
    return { event: await this.#runtime.decode(topic, record), record, place: { ...place, topic } };
  }

  link(
    { record, place }: { record: LogRecord; place: Place },
    facts: { kind: string; id: string; text: string; check: string; problem: string | undefined },
  ): Link {
    const { problem, ...rest } = facts;
    return { ...rest, at: placeText(place), hash: hashOf(record.value), ...verdict(problem) };
  }

  async raw(place: Place): Promise<{ text: string; hash: string | undefined; problem: string | undefined }> {
    try {
      const record = await this.#read(place);
      return {
        text: (record.value ?? Buffer.alloc(0))
          .toString('utf8')
          .replace(/[^\x20-\x7e]+/g, ' ')
          .trim()
          .slice(0, 120),
        hash: hashOf(record.value),
        problem: undefined,
      };
    } catch (error) {
      return { text: '', hash: undefined, problem: messageOf(error) };
    }
  }

  async blob(kind: string, hash: string, text: string): Promise<Link> {
    const base = { kind, id: hash, text, hash, check: 'sha256 of the bytes' };
    try {
      await this.#runtime.parts.blobs.get(hash);
      return { ...base, verified: true };
    } catch (error) {
      return { ...base, ...verdict(messageOf(error)) };
    }
  }

  /** Bytes that lie in no blob. */
  bytes(kind: string, hash: string, text: string, bytes: Uint8Array): Link {
    const base = { kind, id: hash, text, hash, check: 'sha256 of the bytes' };
    const found = hashOf(bytes);
    return found === hash ? { ...base, verified: true } : { ...base, ...verdict(`its bytes have hash ${found}`) };
  }

  async #read(place: Place): Promise<LogRecord> {
    for await (const records of this.#runtime.parts.log.read(place, { from: place.offset, to: place.offset + 1 })) {
      const record = records.find(({ offset }) => offset === place.offset);
      if (record !== undefined) return record;
    }
    throw new MillraceError('NOT_FOUND', `${placeText(place)} is not on the log any more`);
  }
}

function chain(id: string, causes: readonly Link[], effects: readonly Link[]): CausalChain {
  return { id, causes, effects, verified: [...causes, ...effects].every(({ verified }) => verified) };
}

function missing(kind: string, id: string): Link {
  return { kind, id, text: 'not found', check: 'looked up', verified: false, problem: `${kind} ${id} is not known` };
}

function verdict(problem: string | undefined): { verified: true } | { verified: false; problem: string } {
  return problem === undefined ? { verified: true } : { verified: false, problem };
}

function hashOf(value: Uint8Array | null): string {
  return createHash('sha256')
    .update(value ?? '')
    .digest('hex');
}

function placeText({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}@${offset}`;
}
