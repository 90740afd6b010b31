import { z } from "zod";

/**
 * `POST /v1/runners/{id}/token-exchange`: a proof of identity for the token of a runner. Ours; Nuon's own form is not
 * public. 403 says the same whether there is no such runner, it trusts nobody, or it trusts another.
 */
export const tokenExchange = z.strictObject({
  cloud: z.enum(["aws", "gcp", "azure", "oidc"]),
  /** `aws-sts`: the address of a signed GetCallerIdentity. `jwt`: a signed token. */
  kind: z.enum(["aws-sts", "jwt"]),
  proof: z.string().min(1).max(16_384),
});
export type TokenExchange = z.infer<typeof tokenExchange>;

export const tokenExchanged = z.object({
  token: z.string().regex(/^\S{8,8192}$/, "a token"),
  /** RFC 3339; null or absent: it lasts until the next one is used. */
  expires_at: z.string().nullish(),
});

/** Both are covered by the signature of an `aws-sts` proof, beside the host. */
export const AWS_PROOF_HEADERS = { audience: "x-runner-audience", runner: "x-runner-id" } as const;
