import { stateKey } from '../decision-request.ts';

export const modelKey = (model: string): string => stateKey('model', model);
export const versionKey = (model: string, version: number): string => stateKey('version', model, version);
/** Facts of the version that the alias names, copied so that moving the alias can write its row. */
export const holderKey = (model: string, alias: string): string => stateKey('holder', model, alias);
