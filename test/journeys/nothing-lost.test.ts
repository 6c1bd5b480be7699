import { describe, expect, it } from 'vitest';
import type { PredictionCompleted } from '../../schemas/events.ts';
import { isSameOutcome } from './same-outcome.ts';
import { type Findings, problemsOf } from './nothing-lost.ts';

/** Two requests, a feedback, a run of two steps: all as it must be. */
const sound: Findings = {
  acknowledged: { requests: ['r1', 'r2'], feedback: ['r1'], runs: [1], poison: ['bad'] },
  outcomes: new Map([
    ['r1', { ids: new Set(['p1']), says: new Set(['setosa']) }],
    ['r2', { ids: new Set(['p2']), says: new Set(['setosa']) }],
  ]),
  feedback: new Map([['r1', { rewarded: 1, closed: ['duplicate'] }]]),
  runs: new Map([[1, ['completed']]]),
  artifacts: new Map([
    ['1/first/doubled', 1],
    ['1/second/squared', 1],
  ]),
  artifactsPerRun: 2,
  deadLetters: new Map([['triggers/0@3', new Set(['bad'])]]),
  auditProblems: [],
  auditedRecords: 10,
  books: {
    predictionsOpened: 2,
    feedbackReceived: 2,
    feedbackRewarded: 1,
    feedbackDuplicate: 1,
    runsOpened: 1,
    runsCompleted: 1,
    tasksOpened: 2,
    tasksCompleted: 2,
  },
  folds: [{ task: 'run-progress/0', taken: 12, position: 12 }],
  orphans: [],
};

const outcome = (ids: readonly string[], says: readonly string[]) => ({ ids: new Set(ids), says: new Set(says) });
const booked = (books: Readonly<Record<string, number>>): Partial<Findings> => ({
  books: { ...sound.books, ...books },
});

const defects: readonly (readonly [what: string, change: Partial<Findings>, problem: string])[] = [
  [
    'a request that was acknowledged and never answered',
    { acknowledged: { ...sound.acknowledged, requests: ['r1', 'r2', 'r3'] } },
    'request r3 has no outcome',
  ],
  [
    'a request with two predictions',
    { outcomes: new Map([...sound.outcomes, ['r1', outcome(['p1', 'p9'], ['setosa'])]]) },
    'request r1 has 2 predictions',
  ],
  [
    'a repeat that says something else',
    { outcomes: new Map([...sound.outcomes, ['r1', outcome(['p1'], ['setosa', 'virginica'])]]) },
    'request r1 was answered in 2 different ways',
  ],
  [
    'feedback that got lost',
    { acknowledged: { ...sound.acknowledged, feedback: ['r1', 'r2'] } },
    'feedback for r2 was rewarded 0 times',
  ],
  [
    'feedback that was counted twice',
    {
      feedback: new Map([['r1', { rewarded: 2, closed: [] }]]),
      ...booked({ feedbackReceived: 3, feedbackRewarded: 2 }),
    },
    'feedback for r1 was rewarded 2 times',
  ],
  [
    'feedback that was rewarded and given up',
    { feedback: new Map([['r1', { rewarded: 1, closed: ['late'] }]]) },
    'feedback for r1 was rewarded 1 times and closed as late',
  ],
  [
    'a trigger that started nothing',
    { acknowledged: { ...sound.acknowledged, runs: [1, 2] } },
    'run 2 ended not at all',
  ],
  ['a run that failed', { runs: new Map([[1, ['failed: first: lost']]]) }, 'run 1 ended failed: first: lost'],
  [
    'a trigger that started two runs',
    {
      runs: new Map([[1, ['completed', 'completed']]]),
    },
    'run 1 ended completed, completed',
  ],
  [
    'a task with two accepted completions',
    {
      artifacts: new Map([...sound.artifacts, ['1/first/doubled', 2]]),
    },
    '1/first/doubled was accepted 2 times',
  ],
  ['an artifact that is missing', { artifacts: new Map([['1/first/doubled', 1]]) }, '1 artifacts, not 2'],
  [
    'poison without a dead letter',
    { acknowledged: { ...sound.acknowledged, poison: ['bad', 'worse'] } },
    'worse has no dead letter',
  ],
  [
    'a dead letter of what was no poison',
    { deadLetters: new Map([...sound.deadLetters, ['feedback/0@1', new Set(['good'])]]) },
    'the dead letters of feedback/0@1 hold good',
  ],
  [
    'a repeat of a dead letter that holds something else',
    { deadLetters: new Map([['triggers/0@3', new Set(['bad', 'cut'])]]) },
    'the dead letters of triggers/0@3 hold bad, cut',
  ],
  [
    'a gap in the audit',
    { auditProblems: ['predictions/0 3 to 4: uncovered'] },
    'audit: predictions/0 3 to 4: uncovered',
  ],
  ['an audit of nothing', { auditedRecords: 0 }, 'audit: nothing was audited'],
  ['a child that lives on', { orphans: [4711] }, 'process 4711 of a step outlived its parent'],
  [
    'a prediction that was opened twice',
    booked({ predictionsOpened: 3 }),
    'books: predictions opened, and requests answered: 3 is not 2',
  ],
  [
    'feedback without an outcome',
    booked({ feedbackReceived: 3 }),
    'books: feedback received, and its outcomes: 3 is not 2',
  ],
  [
    'a reward that is not in the books',
    booked({ feedbackRewarded: 0, feedbackWaiting: 1 }),
    'books: feedback rewarded, and rewards said: 0 is not 1',
  ],
  [
    'a run that was opened twice',
    booked({ runsOpened: 2, runsCompleted: 2 }),
    'books: runs opened, and runs asked for: 2 is not 1',
  ],
  ['a run that never ends', booked({ runsCompleted: 0 }), 'books: runs opened, and runs ended: 1 is not 0'],
  ['a task that stays open', booked({ tasksCompleted: 1 }), 'books: tasks opened, and tasks ended: 2 is not 1'],
  ['a gap', booked({ gaps: 1 }), 'books: gaps is 1'],
  ['a dead record', booked({ dead: 1 }), 'books: dead is 1'],
  ['a dead timer', booked({ deadTimers: 1 }), 'books: deadTimers is 1'],
  ['records that expired unread', booked({ expiredUnread: 7 }), 'books: expiredUnread is 7'],
  ['an output that could not be written', booked({ outputsRefused: 1 }), 'books: outputsRefused is 1'],
  [
    'a fold that skipped a record',
    { folds: [{ task: 'run-progress/0', taken: 11, position: 12 }] },
    'books: run-progress/0 stands at 12 and has taken 11 records',
  ],
];

describe('the judgement of a kill test', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(problemsOf(sound)).toEqual([]);
  });

  it.each(defects)('finds %s, and nothing else', (_, change, problem) => {
    expect(problemsOf({ ...sound, ...change })).toEqual([problem]);
  });
});

describe('two outcomes of one request', () => {
  const outcome = (label: number, probability: number, inputDigest = 'd') =>
    ({
      inputDigest,
      outputs: [{ name: 'label', data: { values: [label, probability] } }],
    }) as unknown as PredictionCompleted;

  it('say the same although the model runtime rounded differently', () => {
    expect(isSameOutcome(outcome(1, 0.9565709829330444), outcome(1, 0.9565709233283997))).toBe(true);
  });

  it.each([
    ['another label', outcome(2, 0.95)],
    ['another probability', outcome(1, 0.951)],
    ['another input', outcome(1, 0.95, 'e')],
    ['fewer outputs', { ...outcome(1, 0.95), outputs: [] }],
  ])('say something else: %s', (_, other) => {
    expect(isSameOutcome(outcome(1, 0.95), other)).toBe(false);
  });
});
