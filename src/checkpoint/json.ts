// JSON files of a checkpoint, with the names that errors need.

/** A text file and what to call it in errors. */
export interface JsonFile {
  readonly name: string;
  readonly text: string;
}
