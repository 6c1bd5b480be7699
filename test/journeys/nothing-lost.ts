/** The judgement of a kill test: what must hold of everything that was acknowledged, however often processes died. */

/** What lies on the log and in the books when all is over. */
export interface Findings {
  /** What was acknowledged to those who asked: client ids of requests, those for which feedback was given, numbers of runs. */
  readonly acknowledged: {
    readonly requests: readonly string[];
    readonly feedback: readonly string[];
    readonly runs: readonly number[];
    /** What nobody can read: texts of records on open topics. */
    readonly poison: readonly string[];
  };
  /** By client id: the predictions made for it, and the distinct things that were said under it. */
  readonly outcomes: ReadonlyMap<string, { readonly ids: ReadonlySet<string>; readonly says: ReadonlySet<string> }>;
  /** By client id: how often its feedback was rewarded, and what else became of it. */
  readonly feedback: ReadonlyMap<string, { readonly rewarded: number; readonly closed: readonly string[] }>;
  /** By the number that the trigger carried: how each of its runs ended. */
  readonly runs: ReadonlyMap<number, readonly string[]>;
  /** By run, task and artifact: how many different artifacts were accepted. */
  readonly artifacts: ReadonlyMap<string, number>;
  readonly artifactsPerRun: number;
  /** By place, `topic/partition@offset`: the distinct things that the dead letters of a record hold. */
  readonly deadLetters: ReadonlyMap<string, ReadonlySet<string>>;
  readonly auditProblems: readonly string[];
  /** Records that the audit read again and found linked. */
  readonly auditedRecords: number;
  /** Counters of the committed states, summed over partitions; `dead` is that of folds. */
  readonly books: Readonly<Record<string, number>>;
  /** Per fold of a partition: records counted in its state, and its position. */
  readonly folds: readonly { readonly task: string; readonly taken: number; readonly position: number }[];
  /** Processes of steps that outlived their parent. */
  readonly orphans: readonly number[];
}

/** Each thing that does not hold, in words; none is a pass. */
export function problemsOf(findings: Findings): readonly string[] {
  return [
    ...requestProblems(findings),
    ...feedbackProblems(findings),
    ...runProblems(findings),
    ...poisonProblems(findings),
    ...bookProblems(findings),
    ...(findings.auditedRecords === 0 ? ['audit: nothing was audited'] : []),
    ...findings.auditProblems.map((problem) => `audit: ${problem}`),
    ...findings.orphans.map((pid) => `process ${pid} of a step outlived its parent`),
  ];
}

function requestProblems({ acknowledged, outcomes }: Findings): string[] {
  const lost = acknowledged.requests.filter((id) => !outcomes.has(id)).map((id) => `request ${id} has no outcome`);
  const twice = [...outcomes].flatMap(([id, { ids, says }]) => [
    ...(ids.size === 1 ? [] : [`request ${id} has ${ids.size} predictions`]),
    ...(says.size === 1 ? [] : [`request ${id} was answered in ${says.size} different ways`]),
  ]);
  return [...lost, ...twice];
}

function feedbackProblems({ acknowledged, feedback }: Findings): string[] {
  return acknowledged.feedback.flatMap((id) => {
    const { rewarded, closed } = feedback.get(id) ?? { rewarded: 0, closed: [] };
    if (rewarded === 1 && closed.every((outcome) => outcome === 'duplicate')) return [];
    return [
      `feedback for ${id} was rewarded ${rewarded} times${closed.length === 0 ? '' : ` and closed as ${closed.join(', ')}`}`,
    ];
  });
}

function runProblems({ acknowledged, runs, artifacts, artifactsPerRun }: Findings): string[] {
  const wrong = acknowledged.runs.flatMap((number) => {
    const ended = runs.get(number) ?? [];
    return ended.length === 1 && ended[0] === 'completed'
      ? []
      : [`run ${number} ended ${ended.join(', ') || 'not at all'}`];
  });
  const more = [...artifacts].flatMap(([name, written]) =>
    written === 1 ? [] : [`${name} was accepted ${written} times`],
  );
  const wanted = artifactsPerRun * runs.size;
  return [...wrong, ...more, ...(artifacts.size === wanted ? [] : [`${artifacts.size} artifacts, not ${wanted}`])];
}

function poisonProblems({ acknowledged, deadLetters }: Findings): string[] {
  const poison = new Set(acknowledged.poison);
  const held = new Set([...deadLetters.values()].flatMap((texts) => [...texts]));
  const wrong = [...deadLetters].flatMap(([place, texts]) =>
    texts.size === 1 && poison.has([...texts][0] ?? '')
      ? []
      : [`the dead letters of ${place} hold ${[...texts].join(', ')}`],
  );
  return [...[...poison].filter((text) => !held.has(text)).map((text) => `${text} has no dead letter`), ...wrong];
}

const never = ['gaps', 'dead', 'deadTimers', 'expiredUnread', 'outputsRefused'] as const;
const feedbackOutcomes = [
  'feedbackRewarded',
  'feedbackDuplicate',
  'feedbackContradictory',
  'feedbackUnmatched',
  'feedbackLate',
  'feedbackNotComparable',
  'feedbackWaiting',
];
const taskOutcomes = ['tasksCompleted', 'tasksFailed', 'tasksLost', 'tasksCancelled'];
const runOutcomes = ['runsCompleted', 'runsFailed', 'runsCancelled'];

function bookProblems({ books, folds, outcomes, feedback, runs }: Findings): string[] {
  const booked = (...names: readonly string[]): number => names.reduce((sum, name) => sum + (books[name] ?? 0), 0);
  const rewards = [...feedback.values()].reduce((sum, { rewarded }) => sum + rewarded, 0);
  const balances: readonly (readonly [what: string, one: number, other: number])[] = [
    ['predictions opened, and requests answered', booked('predictionsOpened'), outcomes.size],
    ['feedback received, and its outcomes', booked('feedbackReceived'), booked(...feedbackOutcomes)],
    ['feedback rewarded, and rewards said', booked('feedbackRewarded'), rewards],
    ['runs opened, and runs asked for', booked('runsOpened'), runs.size],
    ['runs opened, and runs ended', booked('runsOpened'), booked(...runOutcomes)],
    ['tasks opened, and tasks ended', booked('tasksOpened'), booked(...taskOutcomes)],
  ];
  return [
    ...balances.flatMap(([what, one, other]) => (one === other ? [] : [`books: ${what}: ${one} is not ${other}`])),
    ...never.flatMap((name) => (booked(name) === 0 ? [] : [`books: ${name} is ${booked(name)}`])),
    ...folds.flatMap(({ task, taken, position }) =>
      taken === position ? [] : [`books: ${task} stands at ${position} and has taken ${taken} records`],
    ),
  ];
}
