import type { ProvenanceStore } from '../index.ts';
import type { Links } from './link.ts';
import type { LinkReader } from './link-reader.ts';

/** What every walk over the log works with. */
export interface Walk {
  readonly reader: LinkReader;
  readonly database: ProvenanceStore['database'];
  readonly links: Links;
}
