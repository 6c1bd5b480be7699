/** The history and the rules of registered models, as the API answers them. Times are milliseconds since the epoch. */

/** An alias or stage that a version got, or an alias that it lost. */
export interface RegistryMove {
  readonly kind: 'alias' | 'stage';
  readonly label: string;
  readonly version: number;
  readonly removed: boolean;
  readonly at: number;
  readonly actor: string;
}

/** What named which version at a time, with the move by which it did. */
export interface RegistryAt {
  readonly model: string;
  readonly at: number;
  readonly aliases: readonly RegistryMove[];
  readonly stages: readonly RegistryMove[];
}

/** What must hold before an alias moves: docs/tracking.md. */
export interface AliasRuleDocument {
  readonly approval?: boolean;
  readonly metrics?: readonly {
    readonly metric: string;
    readonly better: 'lower' | 'higher';
    readonly by?: number;
    readonly limit?: number;
  }[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly signature?: boolean;
}

export interface AliasRuleShown {
  readonly alias: string;
  readonly rule: AliasRuleDocument;
  readonly actor: string;
  /** A move that waits for a second person. */
  readonly proposal: { readonly version: number; readonly actor: string; readonly at: number } | null;
}
