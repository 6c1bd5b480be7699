export { type BundledDeployment, unbundledCode } from './bundled-code.ts';
export {
  Deployment,
  deployment,
  type FeedbackOptions,
  type MonitorOptions,
  type RouteOptions,
  type ShadowOptions,
} from './deployment.ts';
export { type DeploymentSpec, parseModelReference, specOf } from './deployment-spec.ts';
export { formatDeployment, parseDeployment } from './deployment-text.ts';
export { type CodeOptions, Graph, graph, type NodeOptions, pipeline, type Row } from './graph.ts';
export { resolveDocument } from './resolve-document.ts';
export type { BanditOptions, RolloutOptions } from './traffic-options.ts';
export type { QualityAlertSettings } from '../../schemas/quality-bounds.ts';
export type { DetectorReference, DetectorSettings, DetectorTarget, DetectorWindow } from '../../schemas/detectors.ts';
export type { DetectorMethodName } from '../../schemas/detector-methods.ts';
export type { RewardCase } from '../../schemas/deployment-document.ts';
