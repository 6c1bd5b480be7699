/** Millrace, as users import it: flows, deployments, ONNX writers, the client. */
export * from './flow/index.ts';
export * from './onnx/index.ts';
export {
  type BanditOptions,
  Deployment,
  deployment,
  type CodeOptions,
  type DeploymentSpec,
  type DetectorMethodName,
  type DetectorReference,
  type DetectorSettings,
  type QualityAlertSettings,
  type DetectorTarget,
  type DetectorWindow,
  type FeedbackOptions,
  Graph,
  graph,
  type MonitorOptions,
  type NodeOptions,
  pipeline,
  type RewardCase,
  type RolloutOptions,
  type RouteOptions,
  type Row,
  type ShadowOptions,
} from './deployment/index.ts';
export * from './client/index.ts';
export * from './detectors/index.ts';
export * from './tracking/index.ts';
