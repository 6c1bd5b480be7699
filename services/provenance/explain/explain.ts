/**
 * Why something came about, and what came of it, from the log. The query store only says where facts lie; each link is checked against
 * the log and the blob store.
 */
import { addArtifact } from './artifact.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { ProvenanceStore } from '../index.ts';
import { addAuditEntry } from './audit-entry.ts';
import {
  addAlerts,
  addDeploymentEffects,
  addPredictionEffects,
  addRunEffects,
  addStartedRuns,
  addVersionUse,
} from './effects.ts';
import { addFeedback } from './feedback.ts';
import { findNamed, type Named, searched } from './find.ts';
import { addFinding } from './finding-causes.ts';
import { type CausalChain, Links } from './link.ts';
import { LinkReader } from './link-reader.ts';
import { addDeployment, addPrediction, addVersion } from './model-causes.ts';
import { addMaking, addRun, addTask } from './run-causes.ts';
import type { Walk } from './walk.ts';

/** NOT_FOUND when the id names nothing. */
export async function explain(id: string, runtime: Runtime, { database }: ProvenanceStore): Promise<CausalChain> {
  const reader = new LinkReader(runtime);
  const named = await findNamed(id, { database, reader, runtime });
  if (named === undefined)
    throw new MillraceError('NOT_FOUND', `nothing is known under '${id.slice(0, 200)}'. Searched: ${searched}`);
  const back: Walk = { reader, database, links: new Links() };
  const forth: Walk = { reader, database, links: new Links() };
  await addCauses(named, back, runtime);
  await addEffects(named, forth);
  const [causes, effects] = [back.links.all, forth.links.all];
  const verified = [...causes, ...effects].every((link) => link.verified);
  return { id, kind: named.kind, causes, effects, verified };
}

async function addCauses(named: Named, walk: Walk, runtime: Runtime): Promise<void> {
  const { reader, database, links } = walk;
  switch (named.kind) {
    case 'prediction':
      return void (await addPrediction(walk, named.id, null));
    case 'run':
      return void (await addRun(walk, named.id, null));
    case 'task':
      return void (await addRun(walk, named.runId, await addTask(walk, named.runId, named.id, null)));
    case 'model-version':
      return void (await addVersion(walk, named.id, named.version, null));
    case 'deployment':
      return void (await addDeployment(walk, named.id, named.version, null, { models: true }));
    case 'drift':
    case 'outliers':
    case 'experiment':
    case 'quality':
    case 'alert':
      return void (await addFinding(walk, named.kind, named.id, null));
    case 'audit-entry':
      return await addAuditEntry(walk, named.place, runtime);
    case 'artifact': {
      const at = await addArtifact(walk, named.id, 'an artifact', null);
      const made = await database.selectFrom('artifacts').selectAll().where('hash', '=', named.id).executeTakeFirst();
      if (made === undefined) return;
      const said = {
        kind: 'written',
        id: `${made.step}.${made.name}`,
        text: `${made.size_bytes.toLocaleString('en')} bytes, ${made.codec}`,
      };
      const written = await reader.addFact(links, 'artifacts', made, said, at);
      return await addMaking(walk, { runId: made.run_id, taskId: made.task_id, besides: named.id }, written);
    }
    case 'trigger': {
      const row = await database
        .selectFrom('triggers')
        .selectAll()
        .where('id', '=', named.id)
        .executeTakeFirstOrThrow();
      const at = await reader.addFact(
        links,
        'operations',
        row,
        { kind: 'trigger', id: row.id, text: `${row.name}: ${row.outcome}` },
        null,
      );
      if (row.source_topic === null) return;
      const place = { topic: row.source_topic, partition: row.source_partition ?? 0, offset: row.source_offset ?? 0 };
      return void (await reader.addRaw(links, place, 'record', row.name, at));
    }
    case 'feedback': {
      const { under, predictionId } = await addFeedback(walk, named.id);
      return void (await addPrediction(walk, predictionId, under));
    }
    case 'operation': {
      const row = await database
        .selectFrom('operations')
        .selectAll()
        .where('id', '=', named.id)
        .executeTakeFirstOrThrow();
      const said = {
        kind: 'operation',
        id: row.id,
        text: `${row.action} of ${row.object} by ${row.actor}: ${row.outcome}`,
      };
      return void (await reader.addFact(links, 'operations', row, said, null));
    }
  }
}

async function addEffects(named: Named, walk: Walk): Promise<void> {
  const { database } = walk;
  switch (named.kind) {
    case 'prediction':
      return await addPredictionEffects(walk, named.id);
    case 'run':
      return await addRunEffects(walk, named.id);
    case 'model-version':
      return await addVersionUse(walk, named.id, named.version, false);
    case 'deployment':
      return await addDeploymentEffects(walk, named.id, named.version);
    case 'drift':
    case 'outliers':
    case 'experiment':
    case 'quality':
      return await addAlerts(walk, named.id);
    case 'artifact': {
      const versions = await database
        .selectFrom('versions')
        .select(['model', 'version'])
        .where('artifact_hash', '=', named.id)
        .limit(10)
        .execute();
      for (const { model, version } of versions) await addVersionUse(walk, model, version);
      return;
    }
    case 'trigger':
      return await addStartedRuns(walk, named.id);
    case 'operation': {
      const row = await database
        .selectFrom('operations')
        .select('request_id')
        .where('id', '=', named.id)
        .executeTakeFirst();
      if (row !== undefined && row.request_id !== '') await addStartedRuns(walk, row.request_id);
      return;
    }
    case 'alert': {
      const row = await database
        .selectFrom('findings')
        .select(['alert_id', 'positive'])
        .where('kind', '=', 'alert')
        .where('id', '=', named.id)
        .executeTakeFirst();
      if (row?.positive === 1 && row.alert_id !== null) await addStartedRuns(walk, row.alert_id);
      return;
    }
    case 'task':
    case 'feedback':
    case 'audit-entry':
      return;
  }
}
