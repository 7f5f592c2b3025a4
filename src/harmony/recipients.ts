// Which tool a sampled recipient means. A name is cut where no name can go on, and repaired if it is close to
// exactly one tool that the conversation offers; otherwise it stays as it is, for the agent to tell the model
// that there is none.

/** Finds the tool that is meant, if any. */
export type RecipientResolver = (recipient: string) => string | undefined;

/** The longest beginning of `text` that can be a recipient; possibly empty. */
export function recipientPrefix(text: string): string {
  return /^[\p{L}\p{N}_.-]*/u.exec(text)![0];
}

/**
 * Accepts exact names, a forgotten `functions.`, a `functions.` too many (`functions.browser.search`),
 * differences of case or between dashes and underscores, and a forgotten group (`functions.search` for
 * `functions.docs__search`, as names of MCP servers' tools are made), as long as one tool only fits.
 */
export function recipientResolver(tools: readonly string[]): RecipientResolver {
  const exact = new Set(tools);
  const folded = byKey(exact, fold);
  const ungrouped = byKey(exact, (tool) => fold(withoutGroup(tool)));
  return (recipient) => {
    const spellings = [recipient, `functions.${recipient}`, recipient.replace(/^functions\./, "")];
    return (
      spellings.find((spelling) => exact.has(spelling)) ??
      spellings.map((spelling) => folded.get(fold(spelling))).find((tool) => tool !== undefined) ??
      ungrouped.get(fold(recipient))
    );
  };
}

/** Undefined where several tools have the same key. */
function byKey(tools: ReadonlySet<string>, keyOf: (tool: string) => string): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  for (const tool of tools) {
    const key = keyOf(tool);
    found.set(key, found.has(key) ? undefined : tool);
  }
  return found;
}

/** `functions.docs__search` → `functions.search` */
const withoutGroup = (tool: string): string => tool.replace(/^functions\..+__(?=.)/, "functions.");

function fold(name: string): string {
  return name.toLowerCase().replace(/-/g, "_");
}
