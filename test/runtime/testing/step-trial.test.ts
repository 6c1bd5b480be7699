import { describe, expect, it } from 'vitest';
import { tryStep } from '../../../runtime/testing/index.ts';
import { card, flow } from '../../../sdk/index.ts';

const tried = flow('tried')
  .parameter('rate', { type: 'number', default: 0.5 })
  .parameter('words', { type: 'file' })
  .step('load', (_, { parameters }) => ({ rows: [3, 1], words: parameters.words }))
  .foreach(
    'parts',
    ({ rows }) => rows,
    (part) =>
      part.step('fit', async ({ item, rows }, { index, parameters, attempt, checkpoint, models, tags, cards }) => {
        const before = checkpoint.load<number>() ?? 0;
        await checkpoint.save(before + 1);
        models.register('m', { onnx: Uint8Array.of(8), metrics: { rate: parameters.rate } });
        tags.add('fitted');
        cards.append(card.markdown('# Fit'));
        return { fitted: item * parameters.rate + before, rest: rows.length - index, attempt };
      }),
  )
  .join('best', ({ inputs }, { merge, before }) =>
    merge({ sum: inputs.reduce((sum, { fitted }) => sum + fitted, 0), of: before.rows.length }, { include: ['words'] }),
  )
  .switch('size', ({ sum }) => sum > 10, { true: () => ({ size: 'big' }), false: () => ({ size: 'small' }) })
  .command('sign', { run: ['true'] })
  .step('last', () => ({ unsaved: () => 1 }));

describe('tryStep', () => {
  it('runs one step with the artifacts, item and parameters that it is given', async () => {
    const trial = await tryStep(tried, 'parts.fit', {
      artifacts: { rows: [3, 1] },
      item: 3,
      index: 1,
      parameters: { rate: '2' },
      checkpoints: { checkpoint: 10 },
      attempt: 2,
    });
    expect(trial).toMatchObject({
      artifacts: { fitted: 16, rest: 1, attempt: 2 },
      models: [{ model: 'm', metrics: { rate: 2 } }],
      tags: { add: ['fitted'], remove: [] },
      checkpoints: { checkpoint: 11 },
      cards: { card: { components: [{ type: 'markdown', text: '# Fit' }] } },
    });
  });

  it('runs joins with inputs, by branch or in order, and points with what they answer', async () => {
    const artifacts = { rows: [3, 1], words: 'hello' };
    const inputs = [{ fitted: 1.5 }, { fitted: 0.5 }];
    expect((await tryStep(tried, 'best', { artifacts, inputs })).artifacts).toEqual({ sum: 2, of: 2, words: 'hello' });
    expect((await tryStep(tried, 'parts', { artifacts })).items).toEqual([3, 1]);
    expect((await tryStep(tried, 'size', { artifacts: { sum: 11 } })).choice).toBe('true');
    expect((await tryStep(tried, 'load', { parameters: { words: 'a b' } })).artifacts).toEqual({
      rows: [3, 1],
      words: 'a b',
    });
  });

  it('fails as the platform would: an unknown step, a wrong parameter, a value that cannot be stored, a program', async () => {
    await expect(tryStep(tried, 'fit')).rejects.toThrow("flow 'tried' has no step 'fit'; its steps are load, parts,");
    await expect(tryStep(tried, 'load', { parameters: { rate: 'much' } })).rejects.toThrow("parameter 'rate' must be");
    await expect(tryStep(tried, 'last')).rejects.toThrow(/unsaved/);
    await expect(tryStep(tried, 'sign')).rejects.toThrow("step 'sign' is a program: run it with `millrace spin");
  });
});
