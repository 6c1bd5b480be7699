export { Deployment, deployment, type MonitorOptions, type RouteOptions } from './deployment.ts';
export {
  type DeploymentSpec,
  deploymentSpecSchema,
  type ModelReference,
  parseModelReference,
  type RouteSpec,
  specOf,
} from './deployment-spec.ts';
export { formatDeployment, parseDeployment } from './deployment-text.ts';
export { type ModelRows, type Resolved, resolveDocument } from './resolve-document.ts';
