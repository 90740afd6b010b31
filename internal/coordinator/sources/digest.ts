/** `sha256:` and 64 hexadecimal digits; the only algorithm there is here. */
const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** The hexadecimal part of a digest, null when it is not one. */
export const hexOf = (digest: string): string | null => DIGEST.exec(digest)?.[1] ?? null;

export const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;

/** The two bytes `{}`: config of every artifact in the layout of nuon-handlers.md 7.1, known without an upload. */
export const EMPTY_CONFIG = { digest: sha256("{}"), body: "{}" } as const;
