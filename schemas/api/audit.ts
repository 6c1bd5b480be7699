/** The audit trail, as the API answers it. */
import type { AuditSealed, RecordRedacted, SealFailed } from '../events.ts';

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
  /** Seals that some key has signed. */
  readonly signed: number;
  /** Hash of the last seal: note it elsewhere, for whoever cuts off the newest seals goes unnoticed. */
  readonly lastSeal: string;
  readonly problems: readonly { readonly sequence: number; readonly kind: string; readonly message: string }[];
}

/** What `audit-seals` says: seals, those that could not be made, and redactions. */
export interface Seals {
  readonly sealed: readonly AuditSealed[];
  readonly failed: readonly SealFailed[];
  readonly redacted: readonly RecordRedacted[];
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
