/** Millrace, as users import it: flows, deployments, ONNX writers, the client. */
export * from './flow/index.ts';
export * from './onnx/index.ts';
export {
  Deployment,
  deployment,
  type DeploymentSpec,
  type MonitorOptions,
  type RouteOptions,
} from './deployment/index.ts';
export * from './client/index.ts';
