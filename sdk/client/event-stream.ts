/** Server-sent events (WHATWG HTML, §9.2): fields `id`, `event`, `data`, `retry`; comments are passed over. */
export interface StreamedEvent {
  /** Last id said so far; '' before the first. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Feeds text in pieces of any size; answers the events that became complete. */
export class EventStreamParser {
  #rest = '';
  #id = '';
  #event = '';
  #data: string[] = [];

  get lastId(): string {
    return this.#id;
  }

  push(text: string): readonly StreamedEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const events: StreamedEvent[] = [];
    for (const line of lines) {
      if (line === '') this.#complete(events);
      else this.#field(line);
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') this.#id = value;
    else if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
  }

  #complete(events: StreamedEvent[]): void {
    if (this.#data.length > 0) {
      events.push({ id: this.#id, event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n') });
    }
    this.#event = '';
    this.#data = [];
  }
}
