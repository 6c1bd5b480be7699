/** What `feedback-rewards` keeps per prediction id, as tuples because hundreds of thousands are open at once. */
import type {
  FeedbackReceived,
  PlannedShare,
  PredictionCompleted,
  QualityBound,
  RowsBefore,
  WindowTerms,
} from '../schemas/events.ts';
import { type Answer, answerOf, answersOf, probabilitiesOf, segmentsOf } from './prediction-answer.ts';

export type Entry = Waits | Open | Rewarded | Failed | WaitingAlone;

/** Feedback that is there before its prediction, in the order in which it came. */
type Waits = readonly [kind: 'waits', waits: readonly Wait[]];
export type Wait = readonly [
  feedbackId: string,
  ...judgement: JudgementTuple,
  /** When it is unmatched. */
  endsMs: number,
  row: number | null,
  rows: number,
];
/** State of version 6: one feedback, which names no row. */
type WaitingAlone = readonly [kind: 'waiting', feedbackId: string, ...judgement: JudgementTuple];

type OpenHead = readonly [
  kind: 'open',
  digest: string,
  closesMs: number,
  deployment: string,
  deploymentVersion: number,
  route: string,
  model: string,
  modelVersion: number,
  answer: Answer,
  rule: string,
  assessEvery: number,
  alpha: number,
  steered: boolean,
  windows: readonly WindowTerms[],
  online: readonly string[],
  quality: readonly [
    rows: number,
    maxAgeMs: number,
    probabilities: readonly number[],
    segments: readonly string[],
    bounds?: readonly QualityBound[],
  ],
  rewardFunction: string,
];
export type Open = readonly [
  ...OpenHead,
  planned?: readonly PlannedShare[],
  shadows?: readonly ShadowAnswer[],
  /** Of a prediction of several rows. */
  rows?: OpenRows,
];

export type OpenRows = readonly [
  count: number,
  /** By row; rows beyond await no feedback of their own. */
  answers: readonly Answer[],
  /** By row; empty when no quality is computed. */
  quality: readonly (readonly [probabilities: readonly number[], segments: readonly string[]])[],
  /** By row: the first feedback. */
  judged: readonly (Judged | null)[],
  before: RowsBefore,
];

/** What a mirrored request was answered. */
export type ShadowAnswer = readonly [
  route: string,
  model: string,
  modelVersion: number,
  answer: Answer,
  /** By row, when it has several. */
  answers?: readonly Answer[],
];

export type Judged = readonly [feedbackId: string, ...judgement: JudgementTuple];

export type Rewarded = readonly [
  kind: 'rewarded',
  digest: string,
  closesMs: number,
  deployment: string,
  ...judged: Judged,
  /** Routes whose answers in the shadow have earned theirs. */
  shadows?: readonly string[],
  /** Of a prediction that was rewarded as a whole. */
  rows?: number,
];

export type Failed = readonly [kind: 'failed', digest: string, deployment: string];

type JudgementTuple = readonly [truth: number | null, label: string | null, reward: number | null];

export const keyOf = (predictionId: string): string => `p/${predictionId}`;

export function isUsableId(predictionId: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(predictionId);
}

export function openEntry(data: PredictionCompleted, closesMs: number, shadows: readonly ShadowAnswer[]): Open {
  const { terms, rows } = data;
  const isSingle = rows < 2;
  const head: OpenHead = [
    'open',
    data.inputDigest,
    closesMs,
    data.deployment,
    data.deploymentVersion,
    data.route,
    data.model,
    data.modelVersion,
    answerOf(data, terms.output),
    terms.reward,
    terms.assessEvery,
    terms.alpha,
    terms.steered,
    terms.windows.filter(({ stream }) => stream === 'feedback'),
    terms.feedbackOnline,
    terms.qualityRows > 0
      ? [
          terms.qualityRows,
          terms.qualityMaxAgeMs,
          isSingle ? probabilitiesOf(data) : [],
          isSingle ? segmentsOf(data) : [],
          terms.bounds,
        ]
      : [0, 0, [], []],
    terms.rewardFunction,
  ];
  // a route that the request named was no draw
  const planned = data.routedBy === 'header' ? [] : terms.planned;
  if (isSingle) return shadows.length === 0 ? [...head, planned] : [...head, planned, shadows];
  const answers = answersOf(data, terms.output);
  const quality =
    terms.qualityRows > 0 ? answers.map((_, row) => [probabilitiesOf(data, row), segmentsOf(data, row)] as const) : [];
  return [...head, planned, shadows, [rows, answers, quality, [], noneBefore]];
}

export const noneBefore: RowsBefore = { rewards: 0, errors: 0, squaredErrors: 0 };

/** The entry with what has changed in it. */
export function openWith(
  open: Open,
  {
    shadows = open[18] ?? [],
    rows = open[19],
  }: { readonly shadows?: readonly ShadowAnswer[]; readonly rows?: OpenRows | undefined },
): Open {
  const head = open.slice(0, 17) as unknown as OpenHead;
  const changed: Open = [...head, open[17] ?? [], shadows];
  return rows === undefined ? changed : [...head, open[17] ?? [], shadows, rows];
}

/** Rows that have earned, with their feedback. */
export function judgedRows(open: Open): readonly (readonly [row: number, ...judged: Judged])[] {
  return (open[19]?.[3] ?? []).flatMap((judged, row) => (judged === null ? [] : [[row, ...judged] as const]));
}

/** What waits for the prediction of an entry; undefined when the entry is of another kind. */
export function waitsOf(entry: Entry | undefined): readonly Wait[] | undefined {
  if (entry?.[0] === 'waits') return entry[1];
  if (entry?.[0] !== 'waiting') return undefined;
  const [, feedbackId, truth, label, reward] = entry;
  return [[feedbackId, truth, label, reward, 0, null, 0]];
}

/** What a feedback says, to whichever row it says it. */
export type Given = Pick<FeedbackReceived, 'feedbackId' | 'truth' | 'label' | 'reward' | 'row' | 'rows'>;

export function givenOf([feedbackId, truth, label, reward, , row, rows]: Wait): Given {
  return { feedbackId, truth, label, reward, row, rows };
}

/** How a prediction whose window has ended is counted; undefined: it was, when its last row earned. */
export function closedAs(entry: unknown): 'predictionsClosedUnrewarded' | 'predictionsClosedPartly' | undefined {
  const known = entry as Entry | undefined;
  if (known?.[0] !== 'open') return undefined;
  const [count, , , , { rewards }] = known[19] ?? [1, [], [], [], noneBefore];
  if (rewards === count) return undefined;
  return rewards === 0 ? 'predictionsClosedUnrewarded' : 'predictionsClosedPartly';
}
