export * from './topology-driver.ts';
export * from './test-runtime.ts';
export { type StepTrial, type StepTrialOptions, tryStep } from './step-trial.ts';
export { createFunctionModel } from '../adapters/function-model/function-model.ts';
export {
  type DeploymentTrial,
  type TrialAnswer,
  type TrialOptions,
  type TrialRequest,
  tryDeployment,
} from './deployment-trial.ts';
