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
 * Accepts exact names, a forgotten `functions.`, a `functions.` too many (`functions.browser.search`), and
 * differences of case or between dashes and underscores, as long as one tool only fits.
 */
export function recipientResolver(tools: readonly string[]): RecipientResolver {
  const exact = new Set(tools);
  const folded = new Map<string, string | undefined>();
  for (const tool of exact) {
    const key = fold(tool);
    folded.set(key, folded.has(key) ? undefined : tool);
  }
  return (recipient) => {
    const spellings = [recipient, `functions.${recipient}`, recipient.replace(/^functions\./, "")];
    return (
      spellings.find((spelling) => exact.has(spelling)) ??
      spellings.map((spelling) => folded.get(fold(spelling))).find((tool) => tool !== undefined)
    );
  };
}

function fold(name: string): string {
  return name.toLowerCase().replace(/-/g, "_");
}
