import { type DeploymentDocument, defaultQuality } from './deployment-document.ts';
import { detectorsOf, extraWindows, onlineDetectors } from './detectors.ts';
import type { MonitoringTerms } from './events.generated.ts';
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
    probabilities: quality.probabilities ?? 'probabilities',
    segments: quality.segments.map((name) => {
      const index = document.features.findIndex((feature) => feature.name === name);
      return { name, index, categories: [...(document.features[index]?.categories ?? [])] };
    }),
  };
}
