/** New identifiers. UUIDv7 (RFC 9562): they sort by the time at which they were made. */
export interface Ids {
  /** 32 lower-case hex characters. */
  next(): string;
}
