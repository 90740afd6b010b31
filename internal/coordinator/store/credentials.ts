import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** Secrets of this data folder: tokens are kept as hashes, execution passwords are derived and kept nowhere. */
export interface Credentials {
  /** Basic password of one execution attempt; the same after a restart, so that a lost claim can be answered again. */
  password(executionId: string, epoch: number): string;
  checkPassword(executionId: string, epoch: number, given: string): boolean;
}

export function createCredentials(secret: string): Credentials {
  const password = (executionId: string, epoch: number) =>
    createHmac("sha256", secret).update(`${executionId}.${epoch}`).digest("base64url");
  return {
    password,
    checkPassword: (executionId, epoch, given) => sameSecret(password(executionId, epoch), given),
  };
}

/** SHA-256, hex: how tokens are stored. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Comparison in constant time, whatever the lengths. */
export function sameSecret(expected: string, given: string): boolean {
  const left = createHash("sha256").update(expected).digest();
  const right = createHash("sha256").update(given).digest();
  return timingSafeEqual(left, right);
}
