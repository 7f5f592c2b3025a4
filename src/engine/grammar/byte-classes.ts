// Which bytes a place in a text does not tell apart: steps are then remembered once for all of them, and not 256 times.

/** Byte → class, from 0. Equal tables are one object. */
export interface ByteClasses {
  readonly id: number;
  readonly of: Uint8Array;
}

export interface ByteClassTables {
  /** By a name for each byte: bytes of one name are one class. */
  from(nameOf: (byte: number) => number | string): ByteClasses;
  /** Tells apart what any of these does. */
  combine(tables: readonly ByteClasses[]): ByteClasses;
}

export function createByteClassTables(): ByteClassTables {
  const known = new Map<string, ByteClasses>();
  const combined = new Map<string, ByteClasses>();

  function from(nameOf: (byte: number) => number | string): ByteClasses {
    const numbers = new Map<number | string, number>();
    const of = Uint8Array.from({ length: 256 }, (_, byte) => {
      const name = nameOf(byte);
      const number = numbers.get(name) ?? numbers.size;
      numbers.set(name, number);
      return number;
    });
    const key = of.join();
    const made = known.get(key) ?? { id: known.size, of };
    known.set(key, made);
    return made;
  }

  return {
    from,
    combine(tables) {
      const [first] = tables;
      if (first !== undefined && tables.every(({ id }) => id === first.id)) return first;
      const ids = [...new Set(tables.map(({ id }) => id))].sort((a, b) => a - b);
      const key = ids.join();
      let made = combined.get(key);
      if (made === undefined) {
        made = from((byte) => tables.map(({ of }) => of[byte]).join());
        combined.set(key, made);
      }
      return made;
    },
  };
}
