/** Who may give a runner work: Ed25519 signatures over a job, its plan and everything else it acts on. */
export {
  makeSigningKey,
  type PublicJwk,
  readSigningKey,
  readTrustedKeys,
  type SigningKey,
  type TrustedKeys,
} from "./jwk.ts";
export type { SignedWork } from "./work-digest.ts";
export { signWork, unsigned, verifyWork } from "./work-signature.ts";
