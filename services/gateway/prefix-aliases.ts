/** Prefixes of paths that are answered as others are: their routes exist once, whichever way they are called. */
export class PrefixAliases {
  readonly #aliases: (readonly [prefix: string, as: string])[] = [];

  /** Paths below `prefix` are answered as those below `as`; both without a slash at the end. */
  add(prefix: string, as: string): void {
    this.#aliases.push([`${prefix}/`, `${as}/`]);
  }

  /** The path and query as routes know them. */
  resolve(url: string): string {
    for (const [prefix, as] of this.#aliases) if (url.startsWith(prefix)) return as + url.slice(prefix.length);
    return url;
  }
}
