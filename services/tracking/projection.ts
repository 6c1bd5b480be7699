import { defineProjection } from '../../runtime/engine/projection.ts';
import { rowsOf, trackedTopics } from './rows.ts';
import { tables } from './tables.ts';

/** Experiments, runs and models as people search them. */
export const tracking = defineProjection({
  name: 'tracking',
  summary: 'experiments, tracked runs and registered models, for searches',
  version: 2,
  inputs: trackedTopics,
  tables,
  rowsOf,
});
