// What the store asks of a database: batches of statements, all or nothing. The SQL itself is in statements.ts and the
// same for both databases but for what a dialect names.

export type Value = string | number | null;
export type Row = Readonly<Record<string, unknown>>;

export interface Statement {
  /** Parameters are $1, $2, … */
  readonly sql: string;
  readonly values: readonly Value[];
}

export interface Dialect {
  /** The database's own clock, in milliseconds since 1970: processes on several machines must agree on leases. */
  readonly now: string;
  /** A table with one text column `item`, from a parameter that holds a JSON array of strings. */
  readonly each: (parameter: string) => string;
  /** First statement of the batch that makes the tables, so that processes that start together do not collide. */
  readonly lockSchema?: string;
}

export interface Database {
  readonly dialect: Dialect;
  /** One transaction; the rows of each statement. Errors have a server/store-… code. */
  run(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]>;
  close(): Promise<void>;
}
