import type { Mutant } from './altered-log.ts';
import { appendMutants } from './append-mutants.ts';
import { deliveryMutants } from './delivery-mutants.ts';
import { groupMutants } from './group-mutants.ts';
import { readMutants } from './read-mutants.ts';

/** Deliberately broken logs, by the name that the cases give them. */
export const mutants: Readonly<Record<string, Mutant>> = {
  ...appendMutants,
  ...readMutants,
  ...deliveryMutants,
  ...groupMutants,
};
