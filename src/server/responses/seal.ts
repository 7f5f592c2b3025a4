// Text that a client keeps for the server: sealed, so that a client that shows nothing need not see it, and so that what
// comes back changed is noticed. AES-GCM with a key made from the server's secret.

/** `foreign` was sealed by somebody else; `forged` looks like ours and is not. */
export type Unsealed = { readonly text: string } | { readonly problem: "foreign" | "forged" };

/** What a sealed text is for; one is not taken for the other. */
export type SealKind = "reasoning" | "compaction";

export interface Seal {
  seal(kind: SealKind, text: string): Promise<string>;
  unseal(kind: SealKind, sealed: string): Promise<Unsealed>;
}

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const mark = "gptoss1.";
const ivBytes = 12;

/**
 * Without a secret of one's own everybody can read what was sealed. It is what the model said to this client anyway; a
 * secret of one's own keeps it from the client's eyes.
 */
const openSecret = "gpt-oss";

export function createSeal(secret: string = openSecret): Seal {
  let importing: Promise<CryptoKey> | undefined;
  const key = (): Promise<CryptoKey> => (importing ??= importKey(secret));
  return {
    async seal(kind, text) {
      const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
      const data = new TextEncoder().encode(text);
      const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm(kind, iv), await key(), data));
      return mark + toBase64(iv) + toBase64(sealed);
    },
    async unseal(kind, sealed) {
      if (!sealed.startsWith(mark)) return { problem: "foreign" };
      try {
        const bytes = fromBase64(sealed.slice(mark.length));
        const iv = bytes.subarray(0, ivBytes);
        const data = await crypto.subtle.decrypt(algorithm(kind, iv), await key(), bytes.subarray(ivBytes));
        return { text: new TextDecoder().decode(data) };
      } catch {
        return { problem: "forged" }; // no base64, too short, or not what was sealed
      }
    },
  };
}

const algorithm = (kind: SealKind, iv: Uint8Array<ArrayBuffer>) => ({
  name: "AES-GCM",
  iv,
  additionalData: new TextEncoder().encode(kind),
});

async function importKey(secret: string): Promise<CryptoKey> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`gpt-oss seal ${secret}`));
  return crypto.subtle.importKey("raw", digest, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** 12 bytes are 16 letters without padding, so that the two parts can stand side by side. */
function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000)
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}

const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
