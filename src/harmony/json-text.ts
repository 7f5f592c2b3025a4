// JSON on one line, spelled as the official library spells it (Rust's serde_json): that text stands in
// prompts. Total: a cycle, excessive depth or a value that JSON does not know becomes null instead of an
// exception.

/** As deep as the official library can read (serde_json's recursion limit). */
const maxJsonDepth = 128;

/**
 * Objects within objects that share a child have as many paths as 2^depth; beyond this many values we stop.
 */
const maxJsonValues = 10_000;

/** What a walk over foreign JSON may still spend; one object per walk. */
export interface JsonWalk {
  left: number;
  readonly ancestors: Set<object>;
}

export function jsonWalk(): JsonWalk {
  return { left: maxJsonValues, ancestors: new Set() };
}

/** Runs `visit` unless `value` contains itself, lies too deep, or the walk has seen too much. */
export function descend<T>(walk: JsonWalk, value: object, visit: () => T, otherwise: T): T {
  if (walk.ancestors.has(value) || walk.ancestors.size >= maxJsonDepth || walk.left-- <= 0) return otherwise;
  walk.ancestors.add(value);
  const result = visit();
  walk.ancestors.delete(value);
  return result;
}

export function jsonText(value: unknown, walk: JsonWalk = jsonWalk()): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return numberText(value);
    case "boolean":
    case "bigint":
      return String(value);
    case "object":
      return value === null ? "null" : descend(walk, value, () => containerText(value, walk), "null");
    default:
      return "null";
  }
}

function containerText(value: object, walk: JsonWalk): string {
  if (Array.isArray(value)) return `[${value.map((item) => jsonText(item, walk)).join(",")}]`;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${jsonText(item, walk)}`).join(",")}}`;
}

/**
 * Digits as in JavaScript, which are the shortest that read back; layout as in Rust: exponents only below
 * 1e-5 and for what no 64-bit integer holds, without a plus sign. (`1.0` cannot be told from `1` once parsed,
 * and is written `1`.)
 */
function numberText(value: number): string {
  if (!Number.isFinite(value)) return "null";
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 64) return String(value);
  const [mantissa, exponentText] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent >= 16 || exponent < -5) return `${mantissa}e${exponent}`;
  if (exponent >= 0) return String(value);
  const digits = mantissa.replace("-", "").replace(".", "");
  return `${value < 0 ? "-" : ""}0.${"0".repeat(-exponent - 1)}${digits}`;
}
