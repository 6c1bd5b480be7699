import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { flowSvg } from '../../cli/flow-picture/flow-svg.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { flow } from '../../sdk/index.ts';
import { millrace } from './cli-driver.ts';

it('draws the graph of a flow file as text and as a picture, every shape with its settings', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-show-'));
  try {
    const svg = join(directory, 'out.svg');
    const file = join(import.meta.dirname, 'flows/shapes.ts');
    const { out, code } = await millrace(['flows', 'show', file, '--svg', svg]);
    expect(code).toBe(0);
    const lines = out.replaceAll(/\u001b\[[0-9;]*m/g, '').split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        '  ● load  retry 3 · timeout 60.0 s',
        '  ⑂ train branch all at once',
        '  │ ├─ linear',
        '  │    ≡ depths foreach once for each item',
        '  │    │ ┃ ● grow  2 cpu · 512 MiB',
        '  │    ◆ best join',
        '  ◇ path switch one of them',
        '  ↻ tune repeat again, 5 rounds at most',
        '  ⫴ fit gang 3 at the same time',
        '  ◆ collect join  secrets TOKEN',
        '  ○ on success',
      ]),
    );
    const picture = await readFile(svg, 'utf8');
    for (const name of ['load', 'train', 'grow', 'best', 'path', 'tune', 'member', 'collect', 'on success'])
      expect(picture).toContain(`>${name}</`);
    const [, width = '0', height = '0'] = /viewBox="0 0 (\d+) (\d+)"/.exec(picture) ?? [];
    const places = [...picture.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g)];
    expect(places.length).toBeGreaterThan(15);
    for (const [, x, y, w, h] of places) {
      expect(Number(x) + Number(w)).toBeLessThanOrEqual(Number(width));
      expect(Number(y) + Number(h)).toBeLessThanOrEqual(Number(height));
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

it('escapes what a flow says of itself', () => {
  const { graph } = flow('odd')
    .step('one', () => ({}))
    .switch('which', () => '<&"', { '<&"': () => ({}) }) as unknown as { graph: FlowGraph };
  const picture = flowSvg(graph);
  expect(picture).toContain('&lt;&amp;&quot;');
  expect(picture).not.toContain('<&');
});
