/**
 * SchemaRegistry: Avro schemas by id, versions by subject (the Confluent model).
 *
 * Contract
 * - `register` is idempotent: the same canonical schema under the same subject gets the same id. A schema that breaks the subject's
 *   FULL_TRANSITIVE compatibility is refused with INCOMPATIBLE_SCHEMA.
 * - `schema` answers the text for an id; UNKNOWN_SCHEMA when the registry says that it has none, UNAVAILABLE when it cannot be
 *   reached. Answers are immutable, so adapters cache them.
 */
export interface SchemaRegistry {
  register(subject: string, schema: string): Promise<number>;
  schema(id: number): Promise<string>;
  /** Id of the newest version of a subject; undefined for an unknown subject. */
  latest(subject: string): Promise<number | undefined>;
  close(): Promise<void>;
}
