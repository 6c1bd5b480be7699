import type { FollowedEvent, Runtime } from '../../../runtime/engine/runtime.ts';
import { MillraceError, messageOf } from '../../../runtime/ports/errors.ts';
import type { LogRecord } from '../../../runtime/ports/log.ts';
import type { EventTopic } from '../../../schemas/events.ts';
import { isTopicName } from '../../../schemas/topics.ts';
import { hashOf, type Link, type Links, type Place, placeText, problemOf } from './link.ts';

/** A fact as it lies on the log. */
export interface Fact<T extends EventTopic = EventTopic> {
  readonly event: FollowedEvent<T>;
  readonly record: LogRecord;
  readonly place: Place;
}

type Said = Pick<Link, 'kind' | 'id' | 'text'> & { readonly check?: string; readonly problem?: string | undefined };

/** Reads facts back and hashes them. The query store only says where they lie. */
export class LinkReader {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** `place` may come from a row; its topic is a catalogue name. */
  async fact<T extends EventTopic>(topic: T, { partition, offset }: Omit<Place, 'topic'>): Promise<Fact<T>> {
    const record = await this.record({ topic, partition, offset });
    return { event: await this.#runtime.decode(topic, record), record, place: { topic, partition, offset } };
  }

  /** Positions that facts name say the catalogue's name of a topic, those of windows the real one. */
  async record(place: Place): Promise<LogRecord> {
    const { topic, partition, offset } = place;
    const real = isTopicName(topic) ? this.#runtime.topic(topic) : topic;
    const range = { from: offset, to: offset + 1 };
    for await (const records of this.#runtime.parts.log.read({ topic: real, partition }, range)) {
      const record = records.find((one) => one.offset === offset);
      if (record !== undefined) return record;
    }
    throw new MillraceError('NOT_FOUND', `${placeText(place)} is not on the log any more`);
  }

  add(
    links: Links,
    { record, place }: Pick<Fact, 'record' | 'place'>,
    { problem, check, ...said }: Said,
    under: number | null,
  ): number {
    const facts = { ...said, check: check ?? 'record read back', at: placeText(place), hash: hashOf(record.value) };
    return links.add({ ...facts, ...problemOf(problem) }, under);
  }

  /** A fact of which only this much is to be said: a fact that cannot be read any more is a broken link, not an error. */
  async addFact(
    links: Links,
    topic: EventTopic,
    row: Omit<Place, 'topic'>,
    said: Said,
    under: number | null,
  ): Promise<number> {
    try {
      return this.add(links, await this.fact(topic, row), said, under);
    } catch (error) {
      const at = placeText({ topic, partition: row.partition, offset: row.offset });
      return links.add(
        { kind: said.kind, id: said.id, text: said.text, at, check: 'record read back', problem: messageOf(error) },
        under,
      );
    }
  }

  /** A record of an outsider, shown as text. `place` has the real name of the topic. */
  async addRaw(links: Links, place: Place, kind: string, id: string, under: number | null): Promise<number> {
    const base = { kind, id, at: placeText(place), check: 'record read back' };
    try {
      const { value } = await this.record(place);
      const text = (value ?? Buffer.alloc(0))
        .toString('utf8')
        .replace(/[^\x20-\x7e]+/g, ' ')
        .trim()
        .slice(0, 120);
      return links.add({ ...base, text, hash: hashOf(value) }, under);
    } catch (error) {
      return links.add({ ...base, text: '', problem: messageOf(error) }, under);
    }
  }

  async blob(hash: string): Promise<Uint8Array> {
    return await this.#runtime.parts.blobs.get(hash);
  }

  async addBlob(links: Links, kind: string, hash: string, text: string, under: number | null): Promise<number> {
    const base = { kind, id: hash, text, hash, check: 'sha256 of the bytes' };
    try {
      await this.#runtime.parts.blobs.get(hash);
      return links.add(base, under);
    } catch (error) {
      return links.add({ ...base, problem: messageOf(error) }, under);
    }
  }
}
