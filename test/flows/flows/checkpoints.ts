/** Counts up to `rounds`, and loses its process at `dies` of its first attempt; what it says is where each attempt began. */
import { artifact, flow } from '../../../sdk/index.ts';

const big = 3 * 1024 * 1024;

export default flow('checkpoints')
  .parameter('rounds', { type: 'integer', default: 5 })
  .parameter('dies', { type: 'integer', default: 3 })
  .parameter('fixed', { type: 'string', default: '' })
  .step(
    'count',
    async (_, { checkpoint, attempt, parameters, log }) => {
      const first = checkpoint.load<number>() ?? 0;
      const weights = checkpoint.load<Uint8Array>('weights');
      log(`attempt ${attempt} begins at ${first} with ${weights?.length ?? 0} bytes`);
      for (let round = first + 1; round <= parameters.rounds; round++) {
        await checkpoint.save(new Uint8Array(big).fill(round), 'weights');
        await checkpoint.save(round);
        if (attempt === 1 && round === parameters.dies) process.kill(process.pid, 'SIGKILL');
      }
      return { began: first, loaded: weights === undefined ? 0 : (weights[0] ?? 0) };
    },
    { retry: 1 },
  )
  .command(
    'train',
    {
      // the first attempt writes a file and fails, the second one finds it
      run: [
        'sh',
        '-c',
        'if [ -f "$MILLRACE_CHECKPOINTS/epochs/model.txt" ]; then cp "$MILLRACE_CHECKPOINTS/epochs/model.txt" "$MILLRACE_OUTPUT/model.txt"; ' +
          'else mkdir -p "$MILLRACE_CHECKPOINTS/epochs"; echo half > "$MILLRACE_CHECKPOINTS/epochs/model.txt"; echo no > "$MILLRACE_CHECKPOINTS/other.part"; exit 3; fi',
      ],
      takes: [],
      leaves: { model: artifact.text },
    },
    { retry: 1, keepCheckpoints: true },
  )
  .step('stop', async (_, { checkpoint, parameters }) => {
    const before = checkpoint.load<string>('place');
    if (parameters.fixed === '' && before === undefined) {
      await checkpoint.save('the middle', 'place');
      throw new Error('it stops here');
    }
    return { place: before ?? 'nowhere' };
  });
