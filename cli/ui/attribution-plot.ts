/** Explanations as text: bars to both sides of zero, the largest first. */
import type { Attribution, ComputedAttribution } from '../../sdk/client/index.ts';
import { bar } from './plot.ts';
import { dim, yellow } from './style.ts';

const half = 16;

export function attributionText(attribution: Attribution): string {
  const { deployment, deploymentVersion, predictionId } = attribution;
  const of = `prediction ${predictionId} of ${deployment} v${deploymentVersion}`;
  if (attribution.type === 'refused') {
    return `${of}: not explained by ${attribution.method} (${attribution.code}): ${attribution.reason}`;
  }
  const { method, output, route, model, modelVersion, backgroundRows, rowsAsked, computeMs } = attribution;
  const against = backgroundRows === 0 ? '' : `, against ${backgroundRows} rows of the reference`;
  return [
    `${of}: ${yellow(output)} = ${short(attribution.prediction)} by ${model} v${modelVersion} on route ${route}`,
    dim(`${method}${against}; the model was asked about ${rowsAsked} rows in ${Math.round(computeMs)} ms`),
    '',
    ...bodyOf(attribution),
  ].join('\n');
}

function bodyOf(attribution: ComputedAttribution): readonly string[] {
  const { method, base, prediction, anchor, counterfactual } = attribution;
  if (anchor !== null) {
    const rule = anchor.conditions.map(({ feature, low, high }) => conditionText(feature, low, high));
    const sure = `${percent(anchor.precision)} (${percent(anchor.precisionLow)} to ${percent(anchor.precisionHigh)})`;
    return [
      rule.length === 0 ? 'the answer is the same whatever the features are' : `as long as ${rule.join(' and ')},`,
      `the answer stays the same in ${sure} of cases; the rule covers ${percent(anchor.coverage)} of the reference`,
      ...(anchor.valid ? [] : [yellow('no rule holds surely enough: this is the best one')]),
    ];
  }
  if (counterfactual !== null) {
    const { foundBy, score, target } = counterfactual;
    const by = foundBy === 'search' ? 'found by following the slope' : 'the nearest row of the reference';
    return [
      `another answer (score ${short(score)}, target ${short(target)}) with these changes, ${by}:`,
      ...bars(attribution),
    ];
  }
  if (method === 'permutation-importance') {
    const compared = attribution.against === 'reference' ? 'the outputs of the reference' : "the model's own answers";
    return [`loss ${short(base)} against ${compared}; it rises when a feature is shuffled by`, ...bars(attribution)];
  }
  return [`from ${short(base)}, the mean over the reference, to ${short(prediction)}:`, ...bars(attribution)];
}

function bars({ features }: ComputedAttribution): readonly string[] {
  const sorted = [...features].sort((a, b) => Math.abs(b.attribution) - Math.abs(a.attribution));
  const top = Math.max(...sorted.map(({ attribution }) => Math.abs(attribution)), 0);
  const wide = Math.max(...sorted.map(({ name, value }) => `${name} = ${short(value)}`.length));
  return sorted.map(({ name, value, attribution }) => {
    const label = `${name} = ${short(value)}`.padEnd(wide);
    const left = attribution < 0 ? reversed(bar(-attribution, top, half)) : ' '.repeat(half);
    const right = attribution > 0 ? bar(attribution, top, half) : ' '.repeat(half);
    return `  ${label}  ${left}│${right} ${attribution > 0 ? '+' : ''}${short(attribution)}`;
  });
}

/** Eighths of blocks grow from the left: to the other side only halves can be drawn. */
function reversed(text: string): string {
  return [...text.replaceAll(/[▏▎▍]/gu, ' ').replaceAll(/[▌▋▊▉]/gu, '▐')].reverse().join('');
}

function conditionText(feature: string, low: number | string, high: number | string): string {
  if (low === high) return `${feature} is ${short(low)}`;
  if (low === '-Infinity') return `${feature} < ${short(high)}`;
  return high === 'Infinity' ? `${feature} ≥ ${short(low)}` : `${short(low)} ≤ ${feature} < ${short(high)}`;
}

const percent = (share: number): string => `${Number((share * 100).toFixed(1))} %`;

function short(value: number | string): string {
  return typeof value === 'string' ? value : String(Number(value.toPrecision(4)));
}
