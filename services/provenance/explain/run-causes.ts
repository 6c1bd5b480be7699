/** Artifact → task → run → code and trigger. */
import { addAlertCause } from './alert-causes.ts';
import { addArtifact } from './artifact.ts';
import type { Walk } from './walk.ts';

/** A run that started at the end of another one, and so on: no more of them are walked through. */
const finishesMax = 20;

/** The run, its code, and why it was started. */
export async function addRun(
  { reader, database, links }: Walk,
  runId: string,
  under: number | null,
  finishes = 0,
): Promise<number> {
  const run = await database.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirst();
  if (run === undefined) return links.missing('run', runId, under);
  const requested = await reader.fact('runs', run);
  const facts = requested.event.type === 'run-requested' ? requested.event.data : undefined;
  const text = `flow ${run.flow} v${run.version}, ${run.status}`;
  const problem = facts?.runId === runId ? undefined : 'the record is no request of this run';
  const at = reader.add(links, requested, { kind: 'run', id: runId, text, problem }, under);
  await addBundle({ reader, database, links }, run.flow, run.bundle_hash, at);
  const { cause_kind: kind, cause_id: id, origin_run_id: origin } = run;
  if (origin !== null && origin !== runId) await addOrigin({ reader, database, links }, origin, at);
  const position = facts?.cause.position;
  if (position?.topic === 'alerts') {
    await addAlertCause({ reader, database, links }, id, at);
    return at;
  }
  if (position !== null && position !== undefined) {
    await reader.addRaw(links, position, 'trigger', id, at);
    return at;
  }
  if (kind === 'finish' && finishes < finishesMax) {
    await addRun({ reader, database, links }, id, at, finishes + 1);
    return at;
  }
  const asked = await database.selectFrom('operations').selectAll().where('request_id', '=', id).executeTakeFirst();
  if (asked !== undefined) {
    const operation = { kind: 'operation', id: asked.id, text: `${asked.action} by ${asked.actor}` };
    await reader.addFact(links, 'operations', asked, operation, at);
  } else links.add({ kind, id, text: `started by ${run.actor}`, check: 'named in the request of the run' }, at);
  return at;
}

/** The run that was resumed, whose outcomes this one took over. */
async function addOrigin({ reader, database, links }: Walk, runId: string, under: number): Promise<void> {
  const origin = await database.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirst();
  if (origin === undefined) {
    links.missing('run', runId, under);
    return;
  }
  const text = `resumed: flow ${origin.flow} v${origin.version}, ${origin.status}`;
  await reader.addFact(links, 'runs', origin, { kind: 'run', id: runId, text }, under);
}

/** The code that ran, and the deployment of the flow that brought it. */
async function addBundle({ reader, database, links }: Walk, flow: string, hash: string, under: number): Promise<void> {
  const at = await reader.addBlob(links, 'bundle', hash, `code of flow ${flow}`, under);
  const deployed = await database
    .selectFrom('flows')
    .selectAll()
    .where('bundle_hash', '=', hash)
    .where('flow', '=', flow)
    .orderBy('version')
    .executeTakeFirst();
  if (deployed === undefined) return;
  const text = `deployed by ${deployed.actor}`;
  await reader.addFact(links, 'starts', deployed, { kind: 'flow', id: `${flow} v${deployed.version}`, text }, at);
}

/** A task under its run. */
export async function addTask(walk: Walk, runId: string, taskId: string, under: number | null): Promise<number> {
  const { reader, database, links } = walk;
  const task = await database
    .selectFrom('tasks')
    .selectAll()
    .where('run_id', '=', runId)
    .where('task_id', '=', taskId)
    .executeTakeFirst();
  if (task === undefined) return links.missing('task', taskId, under);
  const { origin_run_id: origin, origin_task_id: originTask } = task;
  const by = origin === null ? `attempt ${task.attempt} by ${task.worker}` : `taken over from run ${origin}`;
  const text = `${task.status}, ${by}`;
  const at = await reader.addFact(links, 'runs', task, { kind: 'task', id: task.task_id, text }, under);
  if (origin !== null && origin !== runId) await addTaskOrigin(walk, origin, originTask ?? taskId, at);
  return at;
}

/** The task that ended so first, through all that took it over from one another, and the run of each. */
async function addTaskOrigin(walk: Walk, runId: string, taskId: string, under: number): Promise<void> {
  const at = await addTask(walk, runId, taskId, under);
  const { reader, database, links } = walk;
  const run = await database.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirst();
  if (run === undefined) {
    links.missing('run', runId, at);
    return;
  }
  const text = `flow ${run.flow} v${run.version}, ${run.status}`;
  const place = await reader.addFact(links, 'runs', run, { kind: 'run', id: runId, text }, at);
  await addBundle(walk, run.flow, run.bundle_hash, place);
}

/** What made something of a run: its task, the artifacts of the run besides, and the run. */
export async function addMaking(
  walk: Walk,
  { runId, taskId, besides }: { runId: string; taskId: string | null; besides: string },
  under: number | null,
): Promise<void> {
  const { database } = walk;
  const task = taskId === null ? under : await addTask(walk, runId, taskId, under);
  const run = await addRun(walk, runId, task);
  const others = database.selectFrom('artifacts').selectAll().where('run_id', '=', runId).orderBy('offset').limit(50);
  const seen = new Set([besides]);
  for (const { hash, step, name } of await others.execute()) {
    if (seen.has(hash)) continue;
    seen.add(hash);
    await addArtifact(walk, hash, `${step}.${name}`, run);
  }
}
