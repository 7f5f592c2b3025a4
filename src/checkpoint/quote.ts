/**
 * Text out of a file, safe to print: quoted, control characters escaped (a tensor's name could hold terminal escape
 * sequences), and short (a name may be as long as its file).
 */
export function quote(text: string, maxLength = 120): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return JSON.stringify(short).replace(
    /[\u007f-\u009f]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A JSON value as an error message shows it. */
export function describe(value: unknown): string {
  if (typeof value === "string") return quote(value, 60);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return String(value);
  return Array.isArray(value) ? "a list" : `an ${typeof value}`;
}

/** A shape as an error message shows it; a hostile one may have a million sizes. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.slice(0, 8)}${shape.length > 8 ? ",…" : ""}]`;
}
