/** The audit trail, as the API answers it. */
import type { AuditExpired, AuditSealed, HoldPlaced, RecordRedacted, RetentionSet, SealFailed } from '../events.ts';

export interface AuditVerification {
  readonly intact: boolean;
  readonly chains: readonly VerifiedChain[];
  /** Sealed files against their seals. */
  readonly sealed: readonly VerifiedSeals[];
}

/** A chain of links over one partition of an audited topic. */
export interface VerifiedChain {
  readonly topic: string;
  readonly partition: number;
  readonly links: number;
  /** Records that were read again and agree with their link. */
  readonly recordsVerified: number;
  /** Links whose records have expired: their digests are still chained, their content cannot be compared any more. */
  readonly linksExpired: number;
  /** Records behind the last link: they wait for theirs. */
  readonly recordsUnlinked: number;
  readonly problems: readonly { readonly kind: string; readonly message: string }[];
}

export interface VerifiedSeals {
  readonly topic: string;
  readonly partition: number;
  readonly seals: number;
  readonly recordsVerified: number;
  readonly recordsRedacted: number;
  /** Seals whose files are deleted, since they were past their retention: the chain of seals goes on over them. */
  readonly filesExpired: number;
  /** Seals that some key has signed. */
  readonly signed: number;
  /** Hash of the last seal: note it elsewhere, for whoever cuts off the newest seals goes unnoticed. */
  readonly lastSeal: string;
  readonly problems: readonly { readonly sequence: number; readonly kind: string; readonly message: string }[];
}

/** What `audit-seals` says: seals, those that could not be made, redactions, and what is kept how long. */
export interface Seals extends SealedChains {
  /** In force: the newest of each topic, '' those without their own. */
  readonly retention: readonly RetentionSet[];
  /** In force. */
  readonly holds: readonly HoldPlaced[];
}

/** What verification needs of it. */
export interface SealedChains {
  readonly sealed: readonly AuditSealed[];
  readonly failed: readonly SealFailed[];
  readonly redacted: readonly RecordRedacted[];
  /** Files that are deleted, since they were past their retention. */
  readonly expired: readonly AuditExpired[];
}

/** What is to be kept how long. */
export interface RetentionChange {
  /** An audited topic. @default all that have no retention of their own */
  readonly topic?: string | undefined;
  /** Days after the newest record of a file; null: for ever. */
  readonly keepDays: number | null;
  readonly reason: string;
}

/** What must not be deleted or changed: whole sealed files that have a record within these bounds. */
export interface HoldBounds {
  /** Audited topics. @default all */
  readonly topics?: readonly string[] | undefined;
  /** Records appended from then on: milliseconds, ISO 8601 or a date. @default from the first */
  readonly since?: string | undefined;
  /** Records appended before then. @default also those to come */
  readonly until?: string | undefined;
  readonly reason: string;
}

/** An event of an audited topic. */
export interface AuditEntry {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Of its append, milliseconds since the epoch. */
  readonly at: number;
  readonly id: string;
  readonly type: string;
  /** Who asked for it; empty: the platform decided. */
  readonly actor: string;
  readonly key: string;
  readonly data: unknown;
}
