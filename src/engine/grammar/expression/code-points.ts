// Sets of Unicode scalar values, as sorted, disjoint, inclusive ranges: [first, last, first, last, …]. Surrogates are in
// none of them, because no UTF-8 text holds one.

export type CodePoints = readonly number[];

export const allCodePoints: CodePoints = [0, 0xd7ff, 0xe000, 0x10ffff];

export function union(...sets: readonly CodePoints[]): CodePoints {
  const ranges: [number, number][] = [];
  for (const set of sets) for (let i = 0; i < set.length; i += 2) ranges.push([set[i], set[i + 1]]);
  ranges.sort(([a], [b]) => a - b);
  const merged: number[] = [];
  for (const [first, last] of ranges) {
    const end = merged.length - 1;
    if (end > 0 && first <= merged[end] + 1) merged[end] = Math.max(merged[end], last);
    else merged.push(first, last);
  }
  return merged;
}

export function intersection(a: CodePoints, b: CodePoints): CodePoints {
  const common: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = Math.max(a[i], b[j]);
    const last = Math.min(a[i + 1], b[j + 1]);
    if (first <= last) common.push(first, last);
    if (a[i + 1] < b[j + 1]) i += 2;
    else j += 2;
  }
  return common;
}

export function complement(set: CodePoints): CodePoints {
  const rest: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i] > next) rest.push(next, set[i] - 1);
    next = set[i + 1] + 1;
  }
  if (next <= 0x10ffff) rest.push(next, 0x10ffff);
  return intersection(rest, allCodePoints);
}

/** All for which the regular expression, of one character, is true. Takes about 50 ms. */
export function codePointsMatching(test: RegExp): CodePoints {
  const found: number[] = [];
  for (let i = 0; i < allCodePoints.length; i += 2) {
    let isInside = false;
    for (let point = allCodePoints[i]; point <= allCodePoints[i + 1] + 1; point++) {
      const matches = point <= allCodePoints[i + 1] && test.test(String.fromCodePoint(point));
      if (matches && !isInside) found.push(point);
      if (!matches && isInside) found.push(point - 1);
      isInside = matches;
    }
  }
  return found;
}
