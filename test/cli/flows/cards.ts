import { existsSync } from 'node:fs';
import { card, flow } from '../../../sdk/index.ts';

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** Every component; waits half-way for a file, so that it can be looked at meanwhile. */
export default flow('cards')
  .parameter('gate', { type: 'string', required: true })
  .step('train', async (_, { cards, parameters }) => {
    cards.append(
      card.markdown(
        '# Training\n\nA *small* model of **diamonds**, see [docs](https://example.org/a).\n\n- one\n- `two`\n\n<script>alert(1)</script>',
      ),
    );
    const bar = cards.append(card.progress('epochs', 1, 4));
    const values = Array.from({ length: 20 }, (_, epoch) => [
      { epoch, loss: 1 / (epoch + 1), set: 'train' },
      { epoch, loss: 1.3 / (epoch + 1) + 0.05, set: 'valid' },
    ]).flat();
    const encoding = {
      x: { field: 'epoch', type: 'quantitative' },
      y: { field: 'loss', type: 'quantitative' },
      color: { field: 'set' },
    };
    cards.append(card.chart({ title: 'Loss', mark: 'line', data: { values }, encoding }));
    cards.append(
      card.chart({
        title: 'Error by model',
        mark: 'bar',
        data: {
          values: [
            { m: 'linear', e: 3 },
            { m: 'trees', e: 2 },
            { m: 'net', e: 1.4 },
          ],
        },
        encoding: {
          x: { field: 'm', type: 'nominal', title: 'model' },
          y: { field: 'e', type: 'quantitative', title: 'error' },
        },
      }),
    );
    cards.append(card.chart({ mark: 'pie' }));
    cards.append(
      card.table([
        { model: 'linear', error: 3.25 },
        { model: 'trees', error: 2 },
      ]),
    );
    cards.append(card.image(Buffer.from(png, 'base64'), { alt: 'a dot' }));
    cards.append(card.table({ columns: ['model'], rows: [['linear']] } as never));
    cards.append(card.image(undefined as never));
    cards.append(card.artifact('rates', [0.1, 1]));
    const round: Record<string, unknown> = {};
    round['self'] = round;
    cards.append(card.json(round));
    cards.named('second').append(card.json({ deep: [1, { a: '<b>' }] }));
    while (!existsSync(parameters.gate)) await new Promise((resolve) => setTimeout(resolve, 20));
    bar.update(card.progress('epochs', 4, 4));
    return { done: true };
  })
  .step('fail', (_, { cards }) => {
    cards.append(card.markdown('before it broke'));
    throw new Error('it broke');
  });
