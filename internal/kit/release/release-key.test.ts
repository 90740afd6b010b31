import { describe, expect, test } from "bun:test";
import { createHash, generateKeyPairSync } from "node:crypto";
import { opensshKey, pinnedReleaseKey, readReleaseKey } from "./release-key.ts";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const pem = publicKey.export({ format: "pem", type: "spki" }).toString();
const der = publicKey.export({ format: "der", type: "spki" });
const ssh = opensshKey(publicKey);

describe("a release key", () => {
  const forms = [
    ["PEM", pem],
    ["PEM with Windows line ends", pem.replaceAll("\n", "\r\n")],
    ["a line of OpenSSH with a comment", `${ssh} release@example\n`],
    ["release.pub, which holds both", `${ssh} runner-release\n${pem}`],
    ["base64 on one line, as it is pinned", der.toString("base64")],
  ] as const;
  for (const [form, text] of forms) {
    test(`is read from ${form}, with the fingerprint that openssl and sha256sum give`, () => {
      const key = readReleaseKey(text, "release.pub");
      if (!key.ok) throw key.error;
      expect(key.value.fingerprint).toBe(`sha256:${createHash("sha256").update(der).digest("hex")}`);
      expect(key.value.spki).toBe(der.toString("base64"));
    });
  }

  const other = generateKeyPairSync("ed25519").publicKey;
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
  const refused = [
    ["is empty", "", "neither PEM nor OpenSSH"],
    ["is of another kind", rsa.export({ format: "pem", type: "spki" }).toString(), "its kind is rsa"],
    ["is a private key", privateKey.export({ format: "pem", type: "pkcs8" }).toString(), "private key"],
    ["holds two different keys", `${opensshKey(other)}\n${pem}`, "several different keys"],
    ["has a damaged OpenSSH line", `${ssh.slice(0, -8)}\n`, "damaged"],
  ] as const;
  for (const [what, text, why] of refused) {
    test(`that ${what} is refused without showing it`, () => {
      const key = readReleaseKey(text, "release.pub");
      if (key.ok) throw new Error("it was read");
      expect([key.error.kind, key.error.message]).toEqual(["usage", expect.stringContaining(why)]);
      if (text !== "") expect(key.error.message).not.toContain(text.slice(30, 60));
    });
  }

  test("is in no build for development; a release has its maker's", () => {
    const none = pinnedReleaseKey("");
    expect(none.ok ? null : none.error.remedy).toContain("--public-key");
    const pinned = pinnedReleaseKey(der.toString("base64"));
    expect(pinned.ok && pinned.value.key.equals(publicKey)).toBe(true);
  });
});
