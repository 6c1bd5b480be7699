/**
 * The YAML and JSON form of a deployment. Its schema is `deploymentSpecSchema`; features may be plain names, settings may be left
 * out, exactly as in TypeScript.
 */
import { createRequire } from 'node:module';
import { messageOf } from '../../runtime/ports/errors.ts';
import { checkedSpec, filledMonitors } from './deployment.ts';
import { codeOf, filledGraph, isObject } from './graph-defaults.ts';
import { type DeploymentSpec, defaultFeedback, defaultRewardFunction, defaultWeight } from './deployment-spec.ts';
import { defaultShadow } from '../../schemas/traffic.ts';
import { filledTraffic } from './traffic-options.ts';

/** Reads YAML (JSON is YAML too). Throws a TypeError that lists everything that is wrong. */
export function parseDeployment(text: string): DeploymentSpec {
  let value: unknown;
  try {
    value = yaml().parse(text, { maxAliasCount: 10 });
  } catch (cause) {
    throw new TypeError(`the deployment is not YAML: ${messageOf(cause)}`, {
      cause,
    });
  }
  return checkedSpec(filledSpec(value));
}

export function formatDeployment(spec: DeploymentSpec): string {
  return yaml().stringify(spec, { lineWidth: 120 });
}

/** Loaded with the first text: a process that serves or runs has none. */
const yaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml') as typeof import('yaml');

/** Fills in defaults where the parts have the shape for it; the check afterwards judges the rest. */
export function filledSpec(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { routes, features, feedback, monitors, traffic } = value;
  return {
    ...value,
    routes: Array.isArray(routes)
      ? routes.map((route: unknown) => (isObject(route) ? filledRoute(route) : route))
      : routes,
    features: Array.isArray(features)
      ? features.map((feature: unknown) => (typeof feature === 'string' ? { name: feature, kind: 'numeric' } : feature))
      : (features ?? []),
    feedback: isObject(feedback) || feedback === undefined ? filledFeedback(feedback) : feedback,
    monitors: monitors === undefined ? filledMonitors({}) : filledOptions(monitors),
    ...(traffic === undefined
      ? {}
      : { traffic: filledTraffic(traffic, isObject(feedback) ? feedback['reward'] : undefined) }),
  };
}

/** `rewardFunction` may be `./rewards.ts#wine`. */
function filledFeedback(feedback: Readonly<Record<string, unknown>> = {}): object {
  const { rewardFunction: given } = feedback;
  if (given === undefined) return { ...defaultFeedback, ...feedback };
  const { code, ...limits } = isObject(given) ? given : { code: given };
  const named = { ...defaultRewardFunction, ...limits, code: typeof code === 'string' ? codeOf(code) : code };
  return { ...defaultFeedback, ...feedback, rewardFunction: named };
}

function filledRoute(route: Readonly<Record<string, unknown>>): object {
  const { graph, shadow } = route;
  return {
    weight: shadow === undefined ? defaultWeight : 0,
    ...route,
    ...(graph === undefined ? {} : { graph: filledGraph(graph) }),
    ...(isObject(shadow) ? { shadow: { ...defaultShadow, ...shadow } } : {}),
  };
}

function filledOptions(monitors: unknown): unknown {
  if (!isObject(monitors)) return monitors;
  const parts = ['window', 'drift', 'outliers', 'experiment', 'quality', 'statistics'];
  if (parts.some((part) => monitors[part] !== undefined && !isObject(monitors[part]))) return monitors;
  return { ...monitors, ...filledMonitors(monitors) };
}
