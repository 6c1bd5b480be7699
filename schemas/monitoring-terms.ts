import {
  type DeploymentDocument,
  defaultQuality,
  defaultStatistics,
  statisticsLatenessMs,
} from './deployment-document.ts';
import { detectorsOf, extraWindows, onlineDetectors } from './detectors.ts';
import type { MonitoringTerms } from './events.generated.ts';
import { qualityBounds } from './quality-bounds.ts';
import { isSteered } from './traffic.ts';

/** What a prediction carries of its deployment's document, for the folds that follow it. The same for all predictions of a version. */
export function monitoringTerms(document: DeploymentDocument): MonitoringTerms {
  const { feedback, monitors, output, explainers = [] } = document;
  const detectors = detectorsOf(document);
  const quality = monitors.quality ?? defaultQuality;
  return {
    output: output ?? '',
    feedbackWindowMs: feedback.windowMs,
    reward: feedback.reward,
    windowRows: monitors.window.rows,
    windowMinRows: monitors.window.minRows,
    windowMaxAgeMs: monitors.window.maxAgeMs,
    assessEvery: monitors.experiment?.assessEvery ?? 0,
    alpha: monitors.experiment?.alpha ?? 0.05,
    steered: isSteered(document),
    windows: extraWindows(detectors),
    online: onlineDetectors(detectors, 'predictions'),
    feedbackOnline: onlineDetectors(detectors, 'feedback'),
    explainers: explainers.map(({ method, share, ...of }) => ({
      method,
      share,
      output: of.output ?? '',
      target: of.target ?? null,
    })),
    rewardFunction: feedback.rewardFunction === undefined ? '' : JSON.stringify(feedback.rewardFunction),
    qualityRows: quality.rows,
    qualityMaxAgeMs: quality.maxAgeMs,
    bounds: qualityBounds(monitors.alerts ?? [], quality.rows),
    statisticsEveryMs: (monitors.statistics ?? defaultStatistics).everyMs,
    statisticsLatenessMs: monitors.statistics?.latenessMs ?? statisticsLatenessMs,
    planned: plannedShares(document),
    probabilities: quality.probabilities ?? 'probabilities',
    segments: quality.segments.map((name) => {
      const index = document.features.findIndex((feature) => feature.name === name);
      return { name, index, categories: [...(document.features[index]?.categories ?? [])] };
    }),
  };
}

/**
 * What an experiment holds its rewards against. None where shares change by themselves, or where requests of an entity stay together: they
 * are no draws of their own.
 */
function plannedShares(document: DeploymentDocument): MonitoringTerms['planned'] {
  const { monitors, routes, traffic } = document;
  if (monitors.experiment === undefined || isSteered(document) || traffic?.by === 'entity') return [];
  const open = routes.filter(({ weight, shadow }) => weight > 0 && shadow === undefined);
  return open.length < 2 ? [] : open.map(({ name: route, weight }) => ({ route, weight }));
}
