import type { CommandModule } from '../command.ts';

export interface CommandEntry {
  readonly name: string;
  /** Not for people: help does not list it. */
  readonly hidden?: true;
  readonly summary: string;
  load(): Promise<CommandModule>;
}

/** Every command, one file each. */
export const commands: readonly CommandEntry[] = [
  { name: 'run', summary: 'run a flow file', load: async () => (await import('./run.ts')).command },
  {
    name: 'resume',
    summary: 'go on where a run stopped',
    load: async () => (await import('./resume.ts')).command,
  },
  {
    name: 'logs',
    summary: 'lines that the steps of a run wrote',
    load: async () => (await import('./logs.ts')).command,
  },
  { name: 'cards', summary: 'cards of the steps of a run', load: async () => (await import('./cards.ts')).command },
  {
    name: 'deploy',
    summary: 'deploy a flow or a deployment file',
    load: async () => (await import('./deploy.ts')).command,
  },
  {
    name: 'dev',
    summary: 'start everything in one process and keep it running',
    load: async () => (await import('./dev.ts')).command,
  },
  {
    name: 'serve',
    summary: 'run services or topologies by name',
    load: async () => (await import('./serve.ts')).command,
  },
  { name: 'trigger', summary: 'publish a trigger', load: async () => (await import('./trigger.ts')).command },
  {
    name: 'predict',
    summary: 'ask a deployment for a prediction',
    load: async () => (await import('./predict.ts')).command,
  },
  {
    name: 'predictions',
    summary: 'search, show, batch, and why they came out as they did',
    load: async () => (await import('./predictions.ts')).command,
  },
  {
    name: 'feedback',
    summary: 'tell the truth, or a reward, for a prediction',
    load: async () => (await import('./feedback.ts')).command,
  },
  { name: 'tail', summary: 'follow a topic', load: async () => (await import('./tail.ts')).command },
  {
    name: 'lineage',
    summary: 'OpenLineage events of runs and tasks, to look at or for a collector',
    load: async () => (await import('./lineage.ts')).command,
  },
  {
    name: 'explain',
    summary: 'why anything came about, and what came of it, each link checked',
    load: async () => (await import('./explain.ts')).command,
  },
  {
    name: 'describe',
    summary: 'topics and topologies as text or diagram',
    load: async () => (await import('./describe.ts')).command,
  },
  {
    name: 'doctor',
    summary: 'check this machine and the configured services',
    load: async () => (await import('./doctor.ts')).command,
  },
  {
    name: 'flows',
    summary: 'deployed flows: list, show, start, pause, resume, terminate, remove, history, backfill',
    load: async () => (await import('./flows.ts')).command,
  },
  {
    name: 'triggers',
    summary: 'explain what became of an event',
    load: async () => (await import('./triggers.ts')).command,
  },
  {
    name: 'artifacts',
    summary: 'list and get what tasks wrote, their checkpoints, and remove what nobody needs (gc)',
    load: async () => (await import('./artifacts.ts')).command,
  },
  {
    name: 'spin',
    summary: 'run one step of a past run again, with changed code or values, without a trace',
    load: async () => (await import('./spin.ts')).command,
  },
  {
    name: 'dump',
    summary: 'all artifacts of a run or task with their values',
    load: async () => (await import('./dump.ts')).command,
  },
  {
    name: 'runs',
    summary: 'list, show, search, tag, cancel, delete, restore and sync runs',
    load: async () => (await import('./runs.ts')).command,
  },
  {
    name: 'deployments',
    summary: 'list, show, status, rollout, rollback and remove deployments, with their history',
    load: async () => (await import('./deployments.ts')).command,
  },
  {
    name: 'routes',
    summary: 'how a deployment shares its traffic, and why a prediction took its route',
    load: async () => (await import('./routes.ts')).command,
  },
  {
    name: 'experiments',
    summary: 'list, show, create, rename, tag, delete and restore experiments of tracked runs',
    load: async () => (await import('./experiments.ts')).command,
  },
  {
    name: 'import',
    summary: 'take over what an MLflow server has',
    load: async () => (await import('./import.ts')).command,
  },
  {
    name: 'export',
    summary: 'give what is tracked to an MLflow server',
    load: async () => (await import('./export.ts')).command,
  },
  {
    name: 'compare',
    summary: 'runs beside each other: metrics, parameters, curves',
    load: async () => (await import('./compare.ts')).command,
  },
  {
    name: 'models',
    summary:
      'list, card, register, search, describe, tag, stage and delete models and versions; alias, protect, rules, approve, reject; history, at',
    load: async () => (await import('./models.ts')).command,
  },
  {
    name: 'drift',
    summary: 'list drift findings, show reference against window, compute one again',
    load: async () => (await import('./drift.ts')).command,
  },
  {
    name: 'findings',
    summary: 'drift, outliers, experiments and alerts',
    load: async () => (await import('./findings.ts')).command,
  },
  {
    name: 'replay',
    summary: 'run a prediction again on the recorded model and inputs, and compare the bytes',
    load: async () => (await import('./replay.ts')).command,
  },
  {
    name: 'features',
    summary: 'statistics of the features and outputs of a deployment over time',
    load: async () => (await import('./features.ts')).command,
  },
  {
    name: 'quality',
    summary: 'quality metrics of a deployment from feedback',
    load: async () => (await import('./quality.ts')).command,
  },
  {
    name: 'webhooks',
    summary: 'signed requests for events: create, list, remove, pause, resume, test, deliveries, redeliver',
    load: async () => (await import('./webhooks.ts')).command,
  },
  { name: 'operations', summary: 'who asked for what', load: async () => (await import('./operations.ts')).command },
  {
    name: 'dead-letters',
    summary: 'list and replay what could not be processed',
    load: async () => (await import('./dead-letters.ts')).command,
  },
  {
    name: 'audit',
    summary: 'verify, export, archive and redact the audit trail, list its seals',
    load: async () => (await import('./audit.ts')).command,
  },
  {
    name: 'step-pod',
    hidden: true,
    summary: 'what a pod of a step runs',
    load: async () => (await import('./step-pod.ts')).command,
  },
];
