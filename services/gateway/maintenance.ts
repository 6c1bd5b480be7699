/** What the gateway offers to the people who run the platform; who composes the process supplies it. Plain JSON throughout. */
export interface Maintenance {
  /** Newest first. */
  listDeadLetters(): Promise<readonly object[]>;
  /** Writes a dead record again, addressed to its task: it is folded once, and only while it is dead. */
  replayDeadLetter(id: string): Promise<object>;
  /** Every task of this process with its ledger. */
  tasks(): readonly object[];
  /** Start and end of every partition. */
  topics(): Promise<readonly object[]>;
}
