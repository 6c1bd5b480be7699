import { defineProjection } from '../../runtime/engine/projection.ts';
import { projectedTopics, rowsOf } from './rows.ts';
import { tables } from './tables.ts';

/** Where every fact lies, for queries and explanations. */
export const provenance = defineProjection({
  name: 'provenance',
  summary: 'where each fact lies, and by what people look for it',
  version: 25,
  inputs: projectedTopics,
  tables,
  rowsOf,
});
