/** Stages of model versions, which MLflow has deprecated and still serves. */
const stages: readonly string[] = ['None', 'Staging', 'Production', 'Archived'];

export const isStage = (stage: string): boolean => stages.includes(stage);

export const stageProblem = (stage: string): string =>
  `Invalid Model Version stage: ${stage.slice(0, 40)}. Value must be one of ${stages.join(', ')}.`;
