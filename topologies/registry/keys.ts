import { stateKey } from '../decision-request.ts';

export const modelKey = (model: string): string => stateKey('model', model);
export const versionKey = (model: string, version: number): string => stateKey('version', model, version);
/** Facts of the version that the alias names, copied so that moving the alias can write its row. */
export const holderKey = (model: string, alias: string): string => stateKey('holder', model, alias);
/** Description and tags of the model itself. */
export const aboutKey = (model: string): string => stateKey('about', model);
export const versionPrefix = (model: string): string => versionKey(model, 0).slice(0, -1);
export const holderPrefix = (model: string): string => holderKey(model, '');
/** A request that came while the model was being renamed; in order of arrival. */
export const waitingKey = (model: string, index: number): string =>
  `${waitingPrefix(model)}${String(index).padStart(6, '0')}`;
export const waitingPrefix = (model: string): string => stateKey('waiting', model, '');
