/** The application: four couriers ask how long each delivery will take, and tell the truth when it has arrived. */
import type { Client } from '../../sdk/index.ts';
import { type Delivery, deliveries, type World } from './deliveries.ts';

export interface Answered {
  readonly route: string;
  readonly modelVersion: number;
  readonly error: number;
}

export class Couriers {
  readonly answered: Answered[] = [];
  #stream: Iterator<Delivery, never>;
  #stopped = false;
  #asked = 0;
  readonly #running: Promise<void[]>;

  constructor(client: Client) {
    this.#stream = deliveries({ bridge: 'open', seed: 7 });
    this.#running = Promise.all(Array.from({ length: 4 }, () => this.#run(client)));
  }

  /** From now on the world is another one. */
  enter(world: World): void {
    this.#stream = deliveries(world);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(client: Client): Promise<void> {
    while (!this.#stopped) {
      const { row, minutes } = this.#stream.next().value;
      this.#asked += 1;
      const asked = { entity: `delivery-${this.#asked}` };
      const { predictionId, route, modelVersion, outputs } = await client.predict(
        'delivery-time',
        { rows: [row] },
        asked,
      );
      const error = Math.abs(minutes - Number(outputs[0]?.data[0]));
      this.answered.push({ route, modelVersion, error });
      await client.feedback({ predictionId, truth: minutes });
    }
  }
}
