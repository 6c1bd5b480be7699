/** The last lines of a stream, so that a failure can say what the program said last. */
export class LastLines {
  readonly #linesMax = 20;
  #text = '';

  push(chunk: string): void {
    this.#text = (this.#text + chunk).slice(-16_000);
  }

  text(): string {
    return this.#lines().slice(-this.#linesMax).join('\n');
  }

  /** The last one, to be put behind a sentence. */
  behind(): string {
    const last = this.#lines().at(-1)?.trim() ?? '';
    return last === '' ? '' : `: ${last.slice(0, 500)}`;
  }

  #lines(): readonly string[] {
    return this.#text.split('\n').filter((line) => line.trim() !== '');
  }
}
