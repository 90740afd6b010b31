import { describe, expect, test } from "bun:test";
import { createHmac, sign } from "node:crypto";
import { makeSigningKey, readSigningKey, readTrustedKeys, type SigningKey } from "./jwk.ts";
import type { SignedWork } from "./work-digest.ts";
import { signWork, verifyWork } from "./work-signature.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");
const MINUTE = 60_000;

function pair() {
  const { text, jwk } = makeSigningKey();
  const key = readSigningKey(text, "key");
  const keys = readTrustedKeys(JSON.stringify({ keys: [jwk] }), "trusted");
  if (!key.ok || !keys.ok) throw new Error("the key cannot be read");
  return { text, jwk, key: key.value, keys: keys.value };
}

const work: SignedWork = {
  runnerId: "run1",
  executionId: "exe1",
  epoch: 1,
  job: { id: "job1", type: "script", operation: "exec", execution_timeout: 60, metadata: { a: "b" } },
  plan: '{"language":"shell","code":"true"}',
  documents: { action_run: null, action_config: { steps: [{ id: "a", command: "make" }] }, app_config: null },
  options: { verify: false, cancel_grace_ms: null, sensitive_vars: [] },
};

const { key, keys, jwk, text } = pair();
const why = (token: string, of: SignedWork = work, now = NOW) => {
  const verified = verifyWork(keys, token, of, now);
  return verified.ok ? "accepted" : verified.error.message;
};

/** A token as an attacker would make it. */
function forged(header: object, payload: unknown, signer: (text: string) => Buffer): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${signer(signed).toString("base64url")}`;
}
const partsOf = (token: string) => token.split(".").map((part) => Buffer.from(part, "base64url").toString());
const honest = (signing: SigningKey) => (of: string) => sign(null, Buffer.from(of), signing.key);

describe("signed work", () => {
  const token = signWork(key, work, NOW);

  test("is accepted by whoever trusts the key, and the answer names it", () => {
    expect(verifyWork(keys, token, work, NOW)).toEqual({ ok: true, value: key.kid });
  });

  test("means the same in any order of its members", () => {
    const { documents, options, ...rest } = work;
    const turned = { ...rest, options: { sensitive_vars: [], cancel_grace_ms: null, verify: false }, documents };
    expect(why(token, turned)).toBe("accepted");
  });

  test.each<[string, SignedWork, string]>([
    ["another job", { ...work, job: { ...work.job, id: "job2" } }, "that of another job"],
    ["another runner", { ...work, runnerId: "run2" }, "for another runner"],
    ["another attempt", { ...work, epoch: 2 }, "that of another attempt"],
    ["another plan", { ...work, plan: '{"language":"shell","code":"false"}' }, "its plan is not the one"],
    ["a plan that is gone", { ...work, plan: null }, "its plan is not the one"],
    ["another type", { ...work, job: { ...work.job, type: "container" } }, "changed after it was signed"],
    ["another operation", { ...work, job: { ...work.job, operation: "apply-plan" } }, "changed after it was signed"],
    ["other metadata", { ...work, job: { ...work.job, metadata: {} } }, "changed after it was signed"],
    [
      "another command of its steps",
      { ...work, documents: { action_config: { steps: [{ id: "a", command: "rm" }] } } },
      "changed after",
    ],
    ["other options", { ...work, options: { verify: true, sensitive_vars: [] } }, "changed after it was signed"],
  ])("is refused as %s", (_what, other, reason) => {
    expect(why(token, other)).toContain(reason);
  });

  test("is valid for a while, and a little more for clocks that differ", () => {
    expect(why(token, work, NOW + 19 * MINUTE)).toBe("accepted");
    expect(why(token, work, NOW + 21 * MINUTE)).toContain("valid until 2026-11-21T12:15:00.000Z; check the clocks");
    expect(why(token, work, NOW - 4 * MINUTE)).toBe("accepted");
    expect(why(token, work, NOW - 6 * MINUTE)).toContain("later than now; check the clocks");
  });

  test("by a key that is not trusted is refused by its name", () => {
    const other = pair();
    expect(why(signWork(other.key, work, NOW))).toContain(`the key "${other.jwk.kid}", which is not trusted here`);
    // A stranger's key under a trusted name.
    expect(why(signWork({ ...other.key, kid: key.kid }, work, NOW))).toContain("is wrong");
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["no JWS", "abc"],
    ["too many parts", `${token}.x`],
    ["other bytes at its end", `${token.slice(0, -4)}AAAA`],
    ["a huge token", `${"a".repeat(100_000)}.a.a`],
  ])("is refused with %s", (_what, bad) => {
    expect(why(bad)).toContain("refused by this runner");
  });

  test("is refused with every algorithm but ours, whatever the token says", () => {
    const [, body = ""] = partsOf(token);
    const payload: unknown = JSON.parse(body);
    const header = { alg: "EdDSA", typ: "runner-work+jws", kid: key.kid };
    expect(why(forged(header, payload, honest(key)))).toBe("accepted");
    expect(why(forged({ ...header, alg: "none" }, payload, () => Buffer.alloc(64)))).toContain("not one over work");
    const hmac = (of: string) => createHmac("sha256", jwk.x).update(of).digest();
    expect(why(forged({ ...header, alg: "HS256" }, payload, hmac))).toContain("not one over work");
    expect(why(forged({ ...header, jwk }, payload, honest(key)))).toContain("not one over work");
    expect(why(forged({ ...header, typ: "JWT" }, payload, honest(key)))).toContain("not one over work");
    expect(why(forged(header, { sub: "job1" }, honest(key)))).toContain("something else than work");
  });
});

describe("keys", () => {
  test("two are trusted side by side while one takes the place of the other", () => {
    const next = pair();
    const both = readTrustedKeys(JSON.stringify({ keys: [jwk, next.jwk] }), "trusted");
    if (!both.ok) throw both.error;
    for (const one of [key, next.key])
      expect(verifyWork(both.value, signWork(one, work, NOW), work, NOW)).toEqual({ ok: true, value: one.kid });
  });

  test.each<[string, string, string]>([
    ["no JSON", "x", "holds no keys"],
    ["none", '{"keys":[]}', "holds no keys"],
    ["a private one", `{"keys":[${text}]}`, "private key"],
    ["one of another kind", '{"keys":[{"kty":"RSA","n":"x","e":"AQAB"}]}', "keys.0.kty"],
    ["a secret for HMAC", '{"keys":[{"kty":"oct","k":"x"}]}', "keys.0.kty"],
    ["two of one name", JSON.stringify({ keys: [jwk, jwk] }), "two keys are called"],
  ])("a file to trust with %s is refused", (_what, file, reason) => {
    const read = readTrustedKeys(file, "trusted");
    expect(read.ok ? "accepted" : read.error.message).toContain(reason);
  });

  test("a public key does not sign, and two halves that do not belong together neither", () => {
    expect(readSigningKey(JSON.stringify(jwk), "key").ok).toBe(false);
    const { x } = pair().jwk;
    expect(readSigningKey(JSON.stringify({ ...JSON.parse(text), x }), "key").ok).toBe(false);
  });
});
