/** Millrace, as users import it: flows, deployments, ONNX writers, the client. */
export * from './flow/index.ts';
export * from './onnx/index.ts';
export {
  Deployment,
  deployment,
  type CodeOptions,
  type DeploymentSpec,
  Graph,
  graph,
  type MonitorOptions,
  type NodeOptions,
  pipeline,
  type RouteOptions,
  type Row,
} from './deployment/index.ts';
export * from './client/index.ts';
