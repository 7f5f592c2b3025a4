// Patterns for the values of `format` that are enforced. Other formats are what JSON Schema calls annotations. Each
// pattern takes only valid values, though not all that its standard allows.

const byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const leapYear = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
const date =
  "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))" +
  `|${leapYear}-02-29)`;
const time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
const days = "([0-9]{1,4}D)";
const clock = "(T([0-9]{1,4}H([0-9]{1,4}M)?([0-9]{1,4}S)?|[0-9]{1,4}M([0-9]{1,4}S)?|[0-9]{1,4}S))";
const months = `([0-9]{1,4}M${days}?)`;
const label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const hostname = `(?=.{1,253}$)${label}(\\.${label})*`;
const hex = "[0-9a-fA-F]";

const patterns: { readonly [format: string]: string } = {
  date,
  time,
  "date-time": `${date}T${time}`,
  duration: `P([0-9]{1,4}W|[0-9]{1,4}Y${months}?${clock}?|${months}${clock}?|${days}${clock}?|${clock})`,
  email: `[A-Za-z0-9_+-]+(\\.[A-Za-z0-9_+-]+)*@(${label}\\.)+[A-Za-z]{2,63}`,
  hostname,
  ipv4: `${byte}(\\.${byte}){3}`,
  // Written out or with one gap at either end or inside; never with an IPv4 address at its end.
  ipv6: `(${hex}{1,4}:){7}${hex}{1,4}|(${hex}{1,4}:){1,3}(:${hex}{1,4}){1,3}|::(${hex}{1,4}:){0,5}${hex}{1,4}|(${hex}{1,4}:){1,6}:`,
  uuid: `${hex}{8}-${hex}{4}-${hex}{4}-${hex}{4}-${hex}{12}`,
  uri: "[a-z][a-z0-9+.-]{0,20}://[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*(\\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(#[A-Za-z0-9._~-]*)?",
};

export function formatPattern(format: string): string | undefined {
  return Object.hasOwn(patterns, format) ? patterns[format] : undefined;
}
