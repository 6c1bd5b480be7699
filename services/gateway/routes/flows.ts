import { idOf } from '../../../schemas/derived-ids.ts';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { FlowRow } from '../../../schemas/events.ts';
import { cycleThrough, waitingFor } from '../../../schemas/finish-cycles.ts';
import { branchName, deployedName, type FlowPolicy } from '../../../schemas/flow-policy.ts';
import { type FlowTrigger, isSchedule, parseTriggers, triggerName } from '../../../schemas/flow-triggers.ts';
import { scheduleProblem, slotsBetween } from '../../../schemas/schedule-slots.ts';
import { triggerProblems } from '../../../schemas/trigger-problems.ts';
import { nameParam, type Routes } from '../gateway-context.ts';
import { waitForRow } from '../tables.ts';

const tags = ['flows'];

interface DeployBody {
  readonly flow: string;
  readonly bundleHash: string;
  readonly graph: Readonly<Record<string, unknown>>;
  readonly triggers?: readonly unknown[];
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly branch?: string;
  readonly production?: boolean;
  readonly authorize?: string;
  readonly newToken?: boolean;
}

const branchParam = Type.String({ pattern: '^[a-z0-9_]{1,40}$' });

/** Upload a bundle, deploy a flow, list, show. */
export const flows: Routes = (app, { options, operations, decisions, tables }) => {
  app.addContentTypeParser(
    'application/javascript',
    { parseAs: 'buffer', bodyLimit: options.bundleBytesMax },
    (_, body, done) => done(null, body),
  );

  app.post<{ Body: Buffer }>(
    '/api/v1/bundles',
    {
      bodyLimit: options.bundleBytesMax,
      config: { access: 'write', action: 'bundle.upload', body: 'large' },
      schema: {
        summary: 'store the code of a flow or deployment; answers its hash',
        tags,
        consumes: ['application/javascript'],
        response: { 201: Type.Object({ hash: Type.String(), sizeBytes: Type.Integer() }) },
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      if (!Buffer.isBuffer(request.body) || request.body.length === 0) {
        throw new MillraceError('INVALID_ARGUMENT', 'the body must be the bundle, sent as application/javascript');
      }
      const { hash, sizeBytes } = await options.runtime.parts.blobs.put(request.body);
      await operations.publish(request, operation, hash, [], { sizeBytes });
      return await reply.code(201).send({ hash, sizeBytes });
    },
  );

  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer', bodyLimit: options.bundleBytesMax },
    (_, body, done) => done(null, body),
  );

  app.post<{ Body: Buffer }>(
    '/api/v1/files',
    {
      bodyLimit: options.bundleBytesMax,
      config: { access: 'write', action: 'file.upload', body: 'large' },
      schema: {
        summary: 'store a file, as a parameter or a reference sample; answers its hash',
        tags,
        description: 'Stores content by its hash; the answer is the value of a parameter of type file.',
        consumes: ['application/octet-stream'],
        response: { 201: Type.Object({ hash: Type.String(), sizeBytes: Type.Integer() }) },
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      if (!Buffer.isBuffer(request.body))
        throw new MillraceError('INVALID_ARGUMENT', 'the body must be the content, sent as application/octet-stream');
      const { hash, sizeBytes } = await options.runtime.parts.blobs.put(request.body);
      await operations.publish(request, operation, hash, [], { sizeBytes });
      return await reply.code(201).send({ hash, sizeBytes });
    },
  );

  app.get('/api/v1/flows', { config: { access: 'read' }, schema: { summary: 'deployed flows', tags } }, async () => {
    await tables.flows.refresh();
    const activity = await options.queries.flowActivity();
    return { flows: tables.flows.rows().map((row) => ({ ...shown(row), ...idle, ...activity.get(row.flow) })) };
  });

  app.get<{ Params: { flow: string } }>(
    '/api/v1/flows/:flow',
    {
      config: { access: 'read' },
      schema: {
        summary: 'a deployed flow with what starts it, its next slots and what waits',
        tags,
        params: Type.Object({ flow: nameParam }),
      },
    },
    async ({ params: { flow } }) => {
      const row = await tables.flows.find(flow);
      if (row === undefined) throw new MillraceError('NOT_FOUND', `there is no deployed flow '${flow}'`);
      const activity = await options.queries.flowActivity();
      const waits = await options.queries.waitingStarts(flow, waitsShown);
      return {
        ...shown(row),
        ...idle,
        ...activity.get(flow),
        waits,
        next: nextSlots(row, options.runtime.parts.clock.now()),
      };
    },
  );

  app.post<{ Body: DeployBody }>(
    '/api/v1/flows',
    {
      config: { access: 'write', action: 'flow.deploy' },
      schema: {
        summary: 'deploy a flow whose bundle was stored',
        tags,
        body: Type.Object(
          {
            flow: nameParam,
            bundleHash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
            graph: Type.Record(Type.String(), Type.Unknown()),
            triggers: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 100 })),
            policy: Type.Optional(
              Type.Record(Type.String(), Type.Unknown(), { description: '{project?, concurrency?, tags?}' }),
            ),
            branch: Type.Optional(branchParam),
            production: Type.Optional(Type.Boolean({ description: 'branch prod, or prod.<branch>' })),
            authorize: Type.Optional(
              Type.String({
                maxLength: 128,
                description: "the flow's production token: needed by all but its authors",
              }),
            ),
            newToken: Type.Optional(Type.Boolean({ description: 'begins a new namespace for its runs' })),
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const { bundleHash, graph, triggers = [], policy = {}, authorize = '', newToken = false } = request.body;
      const flow = deployedFlow(request.body, actor);
      if ((await options.runtime.parts.blobs.stat(bundleHash)) === undefined) {
        throw new MillraceError('NOT_FOUND', `bundle ${bundleHash} was not uploaded: POST it to /api/v1/bundles first`);
      }
      await tables.flows.refresh();
      // Malformed ones are refused by the fold, with all reasons.
      const parameters = Object.keys(graph['parameters'] ?? {});
      if (triggerProblems(triggers, parameters).length === 0) checkTriggers(flow, triggers, tables.flows.rows());
      const data = {
        flow,
        requestId,
        bundleHash,
        graph: JSON.stringify(graph),
        triggers: JSON.stringify(triggers),
        policy: JSON.stringify(policy),
        authorize,
        newToken,
        actor,
      };
      const deployed = await decisions.ask('flow-deployed', flow, requestId, () =>
        operations.publish(
          request,
          operation,
          flow,
          [{ topic: 'starts', type: 'flow-deploy-requested', data, key: flow, id: idOf('flow', flow, requestId) }],
          { bundleHash },
        ),
      );
      const there = () => (tables.flows.get(flow)?.version ?? 0) >= deployed.version;
      await waitForRow(tables.flows, there, `version ${deployed.version} of flow '${flow}'`, {
        clock: options.runtime.parts.clock,
        timeoutMs: options.decisionTimeoutMs,
      });
      const { version, token } = deployed;
      return await reply.code(201).send({ flow, version, bundleHash, token });
    },
  );
};

/** The name under which the flow is deployed: of a project, by branch. */
function deployedFlow({ flow, policy = {}, branch, production = false }: DeployBody, actor: string): string {
  const { project } = policy as FlowPolicy;
  if (project !== undefined)
    return deployedName(
      flow,
      project,
      branchName({ production, user: actor, ...(branch === undefined ? {} : { branch }) }),
    );
  if (branch === undefined && !production) return flow;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `flow '${flow}' has no project, so it has no branches: write flow('${flow}', { project: '…' })`,
  );
}

/** What only the deployed flows, or the tz database of this Node, can tell. The fold judges the rest. */
function checkTriggers(flow: string, triggers: readonly unknown[], rows: readonly FlowRow[]): void {
  const parsed = triggers as readonly FlowTrigger[];
  for (const trigger of parsed) {
    if (!isSchedule(trigger)) continue;
    const problem = scheduleProblem(trigger);
    if (problem !== undefined)
      throw new MillraceError('INVALID_ARGUMENT', `schedule '${triggerName(trigger)}': ${problem}`);
  }
  const others = rows.filter((row) => row.flow !== flow);
  const all = [
    ...others.map((row) => ({ flow: row.flow, triggers: parseTriggers(row.triggers) })),
    { flow, triggers: parsed },
  ];
  const cycle = cycleThrough(flow, waitingFor(all));
  if (cycle === undefined) return;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `each of these flows starts at the end of the one before, for ever: ${cycle.join(' → ')}; remove one onFinish`,
  );
}

/** Of the starts that wait. */
const waitsShown = 20;
const idle = { running: 0, waiting: 0 };

/** The next slot of each schedule, as its wall clock shows it. */
function nextSlots({ triggers }: FlowRow, nowMs: number): Readonly<Record<string, string | null>> {
  const schedules = parseTriggers(triggers).filter(isSchedule);
  return Object.fromEntries(
    schedules.map((one) => [triggerName(one), slotsBetween(one, nowMs, Number.MAX_SAFE_INTEGER, 1)[0]?.local ?? null]),
  );
}

function shown({ graph, triggers, policy, ...row }: FlowRow) {
  const parsed = JSON.parse(triggers) as readonly FlowTrigger[];
  return {
    ...row,
    graph: JSON.parse(graph) as unknown,
    triggers: parsed.map((trigger) => ({ ...trigger, name: triggerName(trigger) })),
    policy: JSON.parse(policy) as unknown,
  };
}
