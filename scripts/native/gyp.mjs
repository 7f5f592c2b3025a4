// What native/binding.gyp says, for a processor: the lanes that build without node-gyp use the same files and flags.

import { readFileSync } from "node:fs";

/** → [{ name, sources, flags }] of native/; the addon itself comes first. */
export function readTargets(gypFile, { arch, os }) {
  const gyp = JSON.parse(readFileSync(gypFile, "utf8").replace(/^\s*#.*$/gm, ""));
  const merged = applyConditions(gyp, { target_arch: arch, OS: os });
  return merged.targets.map((raw) => {
    const target = applyConditions(raw, { target_arch: arch, OS: os });
    return {
      name: target.target_name,
      sources: target.sources,
      flags: [...expand(merged.target_defaults.cflags_cc, merged), ...expand(target.cflags ?? [], merged)],
    };
  });
}

/** Conditions whose test is true, appended to what they extend. */
function applyConditions({ conditions = [], ...object }, variables) {
  for (const [test, extra, otherwise = {}] of conditions) {
    const chosen = holds(test, variables) ? extra : otherwise;
    for (const [key, value] of Object.entries(chosen)) {
      object[key] = Array.isArray(value) ? [...(object[key] ?? []), ...value] : value;
    }
  }
  return object;
}

function holds(test, variables) {
  const match = /^(\w+)\s*(==|!=)\s*'([^']*)'$/.exec(test);
  if (match === null) throw new Error(`binding.gyp: a condition this script does not understand: ${test}`);
  const [, name, operator, value] = match;
  return (variables[name] === value) === (operator === "==");
}

function expand(list, { variables }) {
  return list.flatMap((item) => {
    const match = /^<@\((\w+)\)$/.exec(item);
    return match === null ? [item] : expand(variables[match[1]], { variables });
  });
}
