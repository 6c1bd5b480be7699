/** A gang: tasks that begin together; rank 0 listens on the address that all know, the others tell it their part. */
import { createServer, connect } from 'node:net';
import { flow } from '../../sdk/index.ts';

export default flow('gang')
  .parameter('ranks', { type: 'integer', default: 3 })
  .gang('train', { size: 'ranks' }, async (_, { gang: { rank, size, address } }) => {
    const [host = '', port = '0'] = address.split(':');
    if (rank > 0) {
      await tell(host, Number(port), rank);
      return { rank, sum: null };
    }
    return { rank, sum: await listen(host, Number(port), size - 1) };
  })
  .join('collect', ({ inputs }) => ({ ranks: inputs.map(({ rank }) => rank), sum: inputs[0]?.sum }));

/** Waits until so many have told their rank; answers the sum. */
async function listen(host: string, port: number, parts: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    let heard = 0;
    let sum = 0;
    const server = createServer((socket) => {
      socket.setEncoding('utf8').on('data', (text: string) => {
        sum += Number(text);
        heard += 1;
        if (heard === parts) server.close(() => resolve(sum));
      });
    });
    server.once('error', reject);
    server.listen(port, host);
  });
}

/** Rank 0 may not listen yet. */
async function tell(host: string, port: number, rank: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const told = await new Promise<boolean>((resolve) => {
      const socket = connect({ host, port }, () => socket.end(String(rank)));
      socket.once('close', (failed: boolean) => resolve(!failed));
      socket.once('error', () => undefined);
    });
    if (told) return;
    await new Promise<void>((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`rank ${rank} could not reach rank 0 at ${host}:${port}`);
}
