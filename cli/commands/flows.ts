import { existsSync, statSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import type { ShownFlow } from '../../sdk/client/index.ts';
import { jsonObject, namedValues, wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, repeatable, say, show } from '../command.ts';
import { flowSvg } from '../flow-picture/flow-svg.ts';
import { flowText } from '../flow-picture/flow-text.ts';
import { withPlatform } from '../session.ts';
import { bold, dim, green, yellow } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    list(cmd);
    one(cmd);
    start(cmd);
    control(cmd);
    history(cmd);
    backfill(cmd);
  },
};

function list(cmd: Command): void {
  const sub = cmd.command('list').description('deployed flows');
  sub.action(async () => {
    const options = optionsOf(sub);
    await withPlatform(options, async ({ client }) => {
      show(options, await client.production.list(), (flows) =>
        flows.length === 0
          ? dim('no flow is deployed: millrace deploy <file>')
          : table(flows, [
              { title: 'FLOW', value: ({ flow }) => flow },
              { title: 'VERSION', value: ({ version }) => version, align: 'right' },
              { title: 'STATE', value: ({ paused }) => (paused ? yellow('paused') : green('active')) },
              { title: 'RUNNING', value: ({ running }) => running, align: 'right' },
              { title: 'WAITING', value: ({ waiting }) => waiting, align: 'right' },
              { title: 'STARTS ON', value: ({ triggers }) => triggers.map(({ name }) => name).join(', ') },
              { title: 'DEPLOYED', value: ({ deployedAt, actor }) => `${ago(deployedAt)} by ${actor}` },
            ]),
      );
    });
  });
}

function one(cmd: Command): void {
  const sub = cmd
    .command('show')
    .description(
      'the graph of a flow file or a deployed flow; of a deployed one also what starts it, limits, token, next slots',
    )
    .argument('<file|flow>')
    .option('--svg <file>', 'draws the graph into a file')
    .option('--deployed', 'a deployed flow, even when there is a file of that name');
  sub.action(async (target: string) => {
    const options = optionsOf<{ svg?: string; deployed?: boolean }>(sub);
    if (options.deployed !== true && existsSync(target) && statSync(target).isFile()) {
      const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
      const { graph } = await bundleFlow(target);
      show(options, graph, () => flowText(graph as FlowGraph));
      draw(options, graph as FlowGraph);
      next(options, `millrace run ${target}`, `millrace run ${target} --help`);
      return;
    }
    await withPlatform(options, async ({ client }) => {
      const flow = await client.production.show(target);
      show(options, flow, (shown) => `${drawFlow(shown)}\n${flowText(flow.graph as FlowGraph)}`);
      draw(options, flow.graph as FlowGraph);
      next(options, `millrace flows history ${target}`, `millrace runs list --flow ${target}`);
    });
  });
}

function draw({ svg }: { readonly svg?: string }, graph: FlowGraph): void {
  if (svg === undefined) return;
  writeFileSync(svg, flowSvg(graph));
  say(`the graph is drawn in ${svg}`);
}

function drawFlow({
  flow,
  version,
  paused,
  running,
  waiting,
  token,
  triggers,
  policy,
  next: slots = {},
  waits = [],
}: ShownFlow): string {
  const lines = [
    `${bold(flow)} v${version} ${paused ? yellow('paused') : green('active')}, ${running} running, ${waiting} waiting`,
    `  token   ${token}`,
  ];
  const { concurrency } = policy as { concurrency?: { max: number; overflow?: string } };
  if (concurrency !== undefined)
    lines.push(`  limit   ${concurrency.max} open runs, then ${concurrency.overflow ?? 'queue'}`);
  for (const { name, ...rest } of triggers) {
    const slot = slots[name];
    lines.push(`  on      ${name} ${dim(JSON.stringify(rest))}${typeof slot === 'string' ? ` next ${slot}` : ''}`);
  }
  for (const { what, reason, since } of waits) lines.push(yellow(`  waits   ${what}: ${reason}, asked ${ago(since)}`));
  if (triggers.length === 0) lines.push(dim('  nothing starts it but people'));
  return lines.join('\n');
}

function start(cmd: Command): void {
  const sub = cmd
    .command('start')
    .description('start a run of the deployed version')
    .argument('<flow>')
    .option('-P, --param <name=value>', 'a parameter (repeatable)', repeatable, [])
    .option('--parameters <json>', 'parameters as a JSON object', '{}')
    .option('--no-cache', 'run memoised steps again, whatever is remembered')
    .option('--tag <tag>', 'a tag of the run (repeatable)', repeatable, []);
  sub.action(async (flow: string) => {
    const options = optionsOf<{ param: string[]; parameters: string; tag: string[]; cache: boolean }>(sub);
    const parameters = { ...jsonObject(options.parameters), ...namedValues('-P', options.param) };
    await withPlatform(options, async ({ client }) => {
      const started = await client.production.start(flow, parameters, {
        tags: options.tag,
        refresh: !options.cache,
      });
      show(options, started, (answer) =>
        answer.queued === true ? `waits: ${answer.reason}` : `run ${answer.runId} of ${flow} v${answer.version}`,
      );
      if (started.queued !== true) next(options, `millrace runs show ${started.runId}`);
    });
  });
}

function control(cmd: Command): void {
  const verbs = [
    ['pause', 'nothing but people starts it until it is resumed'],
    ['resume', 'goes on after a pause'],
    ['terminate', 'stop all open runs and withdraw what waits'],
  ] as const;
  for (const [verb, description] of verbs) {
    const sub = cmd
      .command(verb)
      .description(description)
      .argument('<flow>')
      .option('--reason <text>', 'kept in its history', '');
    sub.action(async (flow: string) => {
      const options = optionsOf<{ reason: string }>(sub);
      await withPlatform(options, async ({ client }) => {
        const said = await client.production[verb](flow, options.reason);
        const { runs, withdrawn } = said ?? { runs: 0, withdrawn: 0 };
        show(options, { flow, action: verb, runs, withdrawn }, () =>
          verb === 'terminate' ? `asked ${runs} runs to stop, withdrew ${withdrawn} starts` : `${verb}d ${flow}`,
        );
      });
    });
  }
  const remove = cmd.command('remove').description('deploy it no longer; its runs stay').argument('<flow>');
  remove.action(async (flow: string) => {
    const options = optionsOf(remove);
    await withPlatform(options, async ({ client }) => {
      await client.production.remove(flow);
      show(options, { flow, action: 'remove' }, () => `removed ${flow}`);
    });
  });
}

function history(cmd: Command): void {
  const sub = cmd
    .command('history')
    .description('versions, pauses, backfills; with --slots what became of its slots')
    .argument('<flow>')
    .option('--slots', 'slots of its schedules')
    .option('--limit <n>', 'at most so many', '20');
  sub.action(async (flow: string) => {
    const options = optionsOf<{ slots?: boolean; limit: string }>(sub);
    const limit = wholeNumber('--limit', options.limit);
    await withPlatform(options, async ({ client }) => {
      if (options.slots === true) {
        show(options, await client.production.slots(flow, limit), (rows) =>
          table(rows, [
            { title: 'SLOT', value: ({ firstMs }) => new Date(firstMs).toISOString() },
            { title: 'SCHEDULE', value: ({ schedule }) => schedule },
            { title: 'OUTCOME', value: ({ outcome, count }) => (count > 1 ? `${outcome} (${count} slots)` : outcome) },
            { title: 'RUN', value: ({ runId }) => runId ?? '' },
            { title: 'WHY', value: ({ reason, backfill: by }) => (by === null ? reason : `backfill ${by}`) },
          ]),
        );
        return;
      }
      show(options, await client.production.history(flow, limit), (rows) =>
        table(rows, [
          { title: 'WHEN', value: ({ at }) => ago(at) },
          { title: 'WHAT', value: ({ action, version }) => (version === null ? action : `${action} v${version}`) },
          { title: 'BY', value: ({ actor }) => actor },
          { title: 'DETAIL', value: ({ detail }) => JSON.stringify(detail) },
        ]),
      );
    });
  });
}

function backfill(cmd: Command): void {
  const sub = cmd
    .command('backfill')
    .description('run the slots of a schedule over a range')
    .argument('<flow>')
    .requiredOption('--from <time>', 'first instant, such as 2026-03-01 (UTC unless it says otherwise)')
    .requiredOption('--to <time>', 'end of the range, which is not in it')
    .option('--schedule <name>', 'needed when the flow has several')
    .option('--missing', 'only slots without a completed run')
    .option('--dry-run', 'only tell the slots');
  sub.action(async (flow: string) => {
    const options = optionsOf<{ from: string; to: string; schedule?: string; missing?: boolean; dryRun?: boolean }>(
      sub,
    );
    const { from, to, schedule, missing = false, dryRun = false } = options;
    await withPlatform(options, async ({ client }) => {
      const range = { from, to, missing, dryRun, ...(schedule === undefined ? {} : { schedule }) };
      show(options, await client.production.backfill(flow, range), ({ slots, skipped, started, queued, refused }) => {
        const left = skipped === 0 ? '' : `, ${skipped} have run already`;
        if (dryRun) return [...slots.map(({ local }) => local), dim(`${slots.length} slots${left}`)].join('\n');
        return `${started} started, ${queued} wait, ${refused} refused${left}`;
      });
      next(options, `millrace flows history ${flow} --slots`);
    });
  });
}
