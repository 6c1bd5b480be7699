/** What happened, as it is on the log: told while it happens, and kept for the promises. */
import { bold, cyan, dim, green, red } from '../../cli/ui/style.ts';
import type { Client, Subscription } from '../../sdk/index.ts';
import type { AlertRaised, RolloutMoved, RunRequested } from '../../schemas/events.ts';

export class Story {
  readonly alerts: AlertRaised[] = [];
  readonly cleared: string[] = [];
  readonly runs: RunRequested[] = [];
  readonly moves: RolloutMoved[] = [];
  /** Alias and version of each move of an alias. */
  readonly aliases: { readonly alias: string; readonly version: number; readonly actor: string }[] = [];
  readonly proposals: number[] = [];
  /** Content hash of each fitted detector that has judged rows. */
  readonly detectors = new Set<string>();
  readonly #subscriptions: Subscription[] = [];

  static async follow(client: Client): Promise<Story> {
    const story = new Story();
    story.#subscribe(client);
    await Promise.all(story.#subscriptions.map(({ ready }) => ready));
    return story;
  }

  async close(): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
  }

  tell(what: string, why: string, timeMs = Date.now()): void {
    const time = new Date(timeMs).toISOString().slice(11, 23);
    console.log(`${dim(time)} ${bold(what)} ${dim(why)}`);
  }

  act(title: string): void {
    console.log(`\n${cyan(title)}`);
  }

  #subscribe(client: Client): void {
    const { tell } = this;
    this.#subscriptions.push(
      client.subscribe('alerts', ({ type, data, timeMs }) => {
        if (type === 'alert-cleared') {
          this.cleared.push(data.alertId);
          tell(`alert ${data.alertId} is over`, 'the rows are what the model was trained on, again', timeMs);
          return;
        }
        this.alerts.push(data);
        tell(`alert ${data.alertId}`, `${data.message} (drift finding ${data.evidenceId})`, timeMs);
      }),
      client.subscribe('outliers', ({ data }) => void this.detectors.add(data.detectorHash)),
      client.subscribe('runs', ({ type, data, timeMs }) => {
        if (type === 'run-completed') tell(`run ${data.runId} is done`, `flow ${data.flow}`, timeMs);
        if (type === 'run-failed') tell(`run ${data.runId} failed`, data.message, timeMs);
        if (type !== 'run-requested') return;
        this.runs.push(data);
        const by = data.cause.kind === 'trigger' ? `because of alert ${data.cause.id}` : `by ${data.actor}`;
        tell(`run ${data.runId} of flow ${data.flow}`, by, timeMs);
      }),
      client.subscribe('registry', ({ type, data, timeMs }) => {
        if (type === 'version-registered') tell(`version ${data.model}/${data.version}`, metricsText(data), timeMs);
        if (type === 'alias-set') {
          this.aliases.push(data);
          tell(`alias ${data.alias} → ${data.model}/${data.version}`, `by ${data.actor}`, timeMs);
        }
        if (type === 'edited' && data.edit === 'propose') {
          this.proposals.push(data.version ?? 0);
          tell(`alias ${data.key} → ${data.model}/${data.version} is proposed`, `by ${data.actor}`, timeMs);
        }
      }),
      client.subscribe('deployment-events', ({ type, data, timeMs }) => {
        if (type === 'deployment-applied')
          tell(`deployment ${data.deployment}/${data.version}`, `by ${data.actor}`, timeMs);
        if (type !== 'rollout-moved') return;
        this.moves.push(data);
        const { phase, percent, shadowPercent, reason } = data.rollout;
        const share = shadowPercent > 0 ? `${shadowPercent} % in the shadow` : `${percent} %`;
        const coloured = phase === 'rolled-back' ? red(phase) : phase === 'promoting' ? green(phase) : phase;
        tell(`rollout: ${coloured}, ${share}`, reason, timeMs);
      }),
    );
  }
}

function metricsText({ metrics }: { readonly metrics: Readonly<Record<string, number>> }): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toPrecision(3)}`)
    .join(', ');
}
