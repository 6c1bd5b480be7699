/** Deployed flows and what became of what starts them, as the API answers it. Times are milliseconds since the epoch. */

/** A deployed flow. */
export interface ShownFlow {
  /** The deployed name. */
  readonly flow: string;
  readonly version: number;
  readonly bundleHash: string;
  readonly actor: string;
  readonly deployedAt: number;
  readonly token: string;
  readonly paused: boolean;
  readonly graph: object;
  readonly triggers: readonly ({ readonly name: string } & Readonly<Record<string, unknown>>)[];
  readonly policy: Readonly<Record<string, unknown>>;
  /** Open runs of deployed versions. */
  readonly running: number;
  /** Starts that wait for a run to end: of people, events and slots. */
  readonly waiting: number;
  /** The first 20 of them; only of one flow that is shown. */
  readonly waits?: readonly WaitingStart[];
  /** Next slot of each schedule; only of one flow that is shown. */
  readonly next?: Readonly<Record<string, string | null>>;
}

/** A start that waits: the flow has a limit, or a slot must not overlap the one before. */
export interface WaitingStart {
  /** Who or what wants it: `manual <request id>`, `event <name> <id>`, `slot <time> of <schedule>`. */
  readonly what: string;
  readonly reason: string;
  readonly since: number;
}

/** A deployment of a flow, or what somebody did to it. */
export interface FlowAction {
  readonly action: string;
  readonly version: number | null;
  readonly actor: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly at: number;
}

/** What became of slots of a schedule. */
export interface SlotOutcome {
  readonly schedule: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
  readonly backfill: string | null;
  readonly outcome: string;
  readonly reason: string;
  readonly runId: string | null;
  readonly at: number;
}

/** What became of an event in one trigger of a flow. */
export interface TriggerOutcome {
  readonly eventId: string;
  readonly flow: string;
  readonly trigger: string;
  readonly key: string;
  readonly name: string;
  readonly version: number;
  /** started, joined, queued, waiting, superseded, expired, skipped, paused, refused or unmatched. */
  readonly outcome: string;
  readonly reason: string;
  readonly runId: string | null;
  readonly with: readonly string[];
  readonly missing: readonly string[];
  readonly untilMs: number | null;
  readonly at: number;
}

export interface TriggerExplanation {
  readonly eventId: string;
  readonly name: string;
  /** Each time it came: the same id may come again. Ends of runs are not delivered. */
  readonly deliveries: readonly {
    readonly at: number;
    readonly outcome: string;
    readonly source: { readonly topic: string; readonly partition: number; readonly offset: number } | null;
    readonly considered: readonly {
      readonly flow: string;
      readonly trigger: string;
      readonly matched: boolean;
      readonly reason: string;
    }[];
  }[];
  readonly outcomes: readonly TriggerOutcome[];
}

/** What an event would do that nobody has sent. */
export interface HypotheticalOutcome {
  readonly flow: string;
  readonly version: number;
  readonly trigger: string;
  /** unmatched, refused, paused, started, joined or waiting. Limits on open runs are not looked at. */
  readonly outcome: string;
  readonly reason: string;
  /** Of the run that would start. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Events that wait and would join. */
  readonly with: readonly string[];
  /** Events that would still be waited for. */
  readonly missing: readonly string[];
}
