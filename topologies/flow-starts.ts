/**
 * Flow versions, and runs of them: everything that concerns the start of a flow, in one order per flow. Versions are dense integers from 1.
 * Deployments, starts, events, slots of schedules and ends of runs come as records of their own; what became of each is said as a fact,
 * and a start becomes one run whose id follows from its request. A request that comes again changes nothing and says nothing: its
 * answer is on the log already.
 *
 * Ledger: runs opened = ended + open; starts = started + queued + skipped + paused + refused, and each queued one ends in one of the others.
 */
import {
  type DueTimer,
  type Effects,
  type InputEvent,
  nothing,
  type Reads,
  type Topology,
} from '../runtime/engine/topology.ts';
import type { Cause, EventArrived } from '../schemas/events.ts';
import { deployedNameProblem } from '../schemas/flow-policy.ts';
import { decideOnce, decisionKey, forgetDecisions, memoryKey, remembered } from './decision-request.ts';
import { admit } from './flow-starts/admission.ts';
import { control, goOn } from './flow-starts/control.ts';
import { deploy } from './flow-starts/deploying.ts';
import { ended, subscribed } from './flow-starts/ends.ts';
import { arrive, heldTimer } from './flow-starts/events.ts';
import { backfill, due } from './flow-starts/slots.ts';
import {
  endingKey,
  flowKeys,
  heldKey,
  openKey,
  openRange,
  queueRange,
  type Start,
  subscribersKey,
} from './flow-starts/state.ts';
import { Work } from './flow-starts/work.ts';

export const flowStarts: Topology<'starts'> = {
  name: 'flow-starts',
  version: 3,
  input: 'starts',
  outputs: ['starts', 'flows', 'runs'],
  summary: 'numbers flow versions; decides which events, slots, ends and requests become runs, and when',

  reads(event): Reads {
    const { flow } = event.data;
    const keys = flowKeys(flow);
    switch (event.type) {
      case 'flow-deploy-requested':
        return {
          keys: [...keys, decisionKey(flow, event.data.requestId), memoryKey(event)],
          ranges: [queueRange(flow)],
        };
      case 'start-requested':
        return {
          keys: [
            ...keys,
            decisionKey(flow, event.data.requestId),
            memoryKey(event),
            ...openKeys(flow, event.data.resume?.runId),
          ],
        };
      case 'backfill-requested':
        return { keys: [...keys, decisionKey(flow, event.data.requestId), memoryKey(event)] };
      case 'flow-control-requested':
        return {
          keys: [...keys, decisionKey(flow, event.data.requestId), memoryKey(event)],
          ranges: [queueRange(flow), openRange(flow)],
        };
      case 'flow-continued':
        return { keys, ranges: [queueRange(flow), openRange(flow)] };
      case 'event-arrived':
        return { keys: [...keys, decisionKey(flow, event.data.requestId), memoryKey(event), ...heldKeys(event.data)] };
      case 'slots-due':
        return { keys };
      case 'finish-subscribed':
        return { keys: [subscribersKey(flow)] };
      case 'run-ended': {
        const { runId } = event.data;
        const own = [openKey(flow, runId), endingKey(flow, runId), subscribersKey(flow)];
        return { keys: [...keys, ...own], ranges: [queueRange(flow)] };
      }
      default:
        return {};
    }
  },

  fold(event, state): Effects {
    const work = new Work(state, event.data.flow, event.timeMs);
    switch (event.type) {
      case 'flow-deploy-requested':
        return once(event, event.data, work, state, () => deploy(work, event.data));
      case 'start-requested':
        return once(event, event.data, work, state, () => {
          admit(work, startOf(event.data));
          return undefined;
        });
      case 'backfill-requested':
        return once(event, event.data, work, state, () => backfill(work, event.data));
      case 'flow-control-requested':
        return once(event, event.data, work, state, () => control(work, event.data));
      case 'event-arrived': {
        const seen = decisionKey(work.flow, event.data.requestId);
        if (work.get(seen) !== undefined) return { count: { repeated: 1 } };
        work.put(seen, 'accepted');
        const { put, setTimers } = remembered(seen, event, state);
        work.put(...put);
        for (const timer of setTimers) work.setTimer(timer);
        arrive(work, event.data);
        return work.effects();
      }
      case 'slots-due':
        due(work, event.data);
        return work.effects();
      case 'flow-continued':
        goOn(work, event.data);
        return work.effects();
      case 'finish-subscribed':
        subscribed(work, event.data);
        return work.effects();
      case 'run-ended':
        ended(work, event.data);
        return work.effects();
      default:
        return nothing;
    }
  },

  onTimer: (timer: DueTimer, state): Effects => forgetDecisions(timer, state) ?? heldTimer(timer, state).effects(),
};

type Request = Extract<
  InputEvent<'starts'>,
  { type: 'flow-deploy-requested' | 'start-requested' | 'backfill-requested' | 'flow-control-requested' }
>;

/** Requests of people are decided at their first arrival; one that is refused leaves nothing but the refusal. */
function once(
  request: Request,
  data: { readonly flow: string; readonly requestId: string; readonly cause?: Cause },
  work: Work,
  state: Parameters<Topology<'starts'>['fold']>[1],
  decide: () => string | undefined,
): Effects {
  const { flow, requestId } = data;
  const { type } = request;
  const cause: Cause = data.cause ?? { kind: causeKinds[type], id: requestId, position: null };
  return decideOnce(
    { subject: flow, requestId, nameProblem: deployedNameProblem(flow), place: request },
    state,
    () => {
      const refused = decide();
      return refused === undefined ? work.effects() : { refused };
    },
    (reason) => ({ topic: 'starts', type: 'start-refused', key: flow, data: { flow, requestId, reason, cause } }),
  );
}

const causeKinds: Readonly<Record<Request['type'], string>> = {
  'flow-deploy-requested': 'deploy',
  'start-requested': 'manual',
  'backfill-requested': 'backfill',
  'flow-control-requested': 'control',
};

function startOf(request: Extract<Request, { type: 'start-requested' }>['data']): Start {
  const { requestId, parameters, cause, actor, tags, bundleHash, graph, resume = null, refresh = false } = request;
  return {
    requestId,
    parameters,
    cause,
    actor,
    tags,
    chain: [],
    ...(refresh ? { refresh } : {}),
    ...(bundleHash === null ? {} : { bundle: { bundleHash, graph: graph ?? '' } }),
    ...(resume === null
      ? {}
      : { resume: { ...resume, from: resume.from ?? null, code: resume.code === 'deployed' ? 'deployed' : 'origin' } }),
  };
}

/** Whether a run that is to be resumed in place is open. */
function openKeys(flow: string, runId: string | undefined): readonly string[] {
  return runId === undefined ? [] : [openKey(flow, runId), endingKey(flow, runId)];
}

function heldKeys({ flow, matches }: EventArrived): readonly string[] {
  return matches.map(({ trigger, key }) => heldKey(flow, trigger, key));
}
