import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { EXCHANGE } from "../../../internal/coordinator/identity/limits.ts";
import { ISSUER, makeWorld, OBJECT, ORIGIN, TENANT, type World } from "./exchange-bed.ts";

const EMAIL = "runner@acme.iam.gserviceaccount.com";
const VM = "/subscriptions/s1/resourcegroups/g1/providers/Microsoft.Compute/virtualMachines/vm1";
const SUB = "repo:acme/infra:ref:refs/heads/main";

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.end());
/** Nobody waits for the refusals of the test before. */
beforeEach(() => world.advance(61_000));

let runners = 0;
const runner = (...identities: string[]) => world.runner(`runner-${runners++}`, ...identities);
const ask = async (cloud: "gcp" | "azure" | "oidc", id: string, proof: string) => {
  world.told.length = 0;
  return [await world.ask(id, { cloud, kind: "jwt", proof }), world.told.at(-1) ?? ""];
};
const times = (over: Record<string, unknown> = {}) => ({
  iat: world.seconds(),
  exp: world.seconds() + 3_600,
  ...over,
});
const google = (id: string, over: Record<string, unknown> = {}) => ({
  ...times(),
  iss: "https://accounts.google.com",
  aud: `${ORIGIN}/v1/runners/${id}`,
  sub: "1234567890",
  email: EMAIL,
  email_verified: true,
  google: { compute_engine: { project_id: "acme", instance_id: "42", zone: "europe-west3-a" } },
  ...over,
});
const entra = (over: Record<string, unknown> = {}) => ({
  ...times(),
  iss: `https://sts.windows.net/${TENANT}/`,
  aud: ORIGIN,
  sub: OBJECT,
  tid: TENANT,
  oid: OBJECT,
  xms_mirid: VM,
  ...over,
});
const open = (over: Record<string, unknown> = {}) => ({ ...times(), iss: ISSUER, aud: ORIGIN, sub: SUB, ...over });

describe("the identity token of a Google machine", () => {
  test("gives a token of the runner that it was made for", async () => {
    const id = runner(`gcp:${EMAIL},project=acme,instance=42,zone=europe-west3-a`);
    expect(await ask("gcp", id, await world.keys.rs.sign(google(id)))).toEqual(["given", EMAIL]);
    expect(world.opens(world.tokens.at(-1) ?? "")).toBe(id);
  });

  for (const [what, over, why] of [
    ["of another service account", { email: `x${EMAIL}` }, "email is xrunner@"],
    ["whose address nobody has verified", { email_verified: false }, "email_verified is false"],
    ["of a machine of another project", { google: { compute_engine: { project_id: "evil" } } }, "project_id is evil"],
    ["of no machine", { google: undefined }, "there is no google.compute_engine.project_id"],
    ["with a project that is no text", { google: { compute_engine: { project_id: ["acme"] } } }, "there is no google."],
    ["for another runner", { aud: `${ORIGIN}/v1/runners/run2` }, "it is not for"],
    ["for this coordinator at large", { aud: ORIGIN }, "it is not for"],
    ["for several audiences", { aud: "several" }, "several audiences"],
  ] as const) {
    test(`${what} is refused`, async () => {
      const id = runner(`gcp:${EMAIL},project=acme`);
      const claims = google(id, over);
      const aud =
        "aud" in over && over.aud === "several" ? [`${ORIGIN}/v1/runners/${id}`, "https://x.example"] : claims.aud;
      const proof = await world.keys.rs.sign({ ...claims, aud });
      expect(await ask("gcp", id, proof)).toEqual(["refused", expect.stringContaining(why)]);
    });
  }
});

describe("the token of an Azure identity", () => {
  for (const [what, identity, over] of [
    ["by its object", `azure:${TENANT},object=${OBJECT.toUpperCase()}`, {}],
    ["by its resource, in any case of letters", `azure:${TENANT},resource=${VM.toUpperCase()}`, {}],
    [
      "of the newer form",
      `azure:${TENANT},object=${OBJECT}`,
      { iss: `https://login.microsoftonline.com/${TENANT}/v2.0` },
    ],
    [
      "for an audience that the identity names",
      `azure:${TENANT},object=${OBJECT},audience=api://r`,
      { aud: "api://r" },
    ],
  ] as const) {
    test(`${what} gives a token`, async () => {
      const id = runner(identity);
      expect(await ask("azure", id, await world.keys.rs.sign(entra(over)))).toEqual(["given", VM]);
    });
  }

  for (const [what, over, why] of [
    ["of another tenant", { iss: "https://sts.windows.net/99999999-2222-3333-4444-555555555555/" }, "no identity of"],
    ["that says two tenants", { tid: "99999999-2222-3333-4444-555555555555" }, "tid is 9999"],
    ["of another object", { oid: TENANT }, `oid is ${TENANT}`],
    ["for Azure itself", { aud: "https://management.azure.com/" }, "it is not for"],
  ] as const) {
    test(`${what} is refused`, async () => {
      const proof = await world.keys.rs.sign(entra(over));
      const id = runner(`azure:${TENANT},object=${OBJECT}`);
      expect(await ask("azure", id, proof)).toEqual(["refused", expect.stringContaining(why)]);
    });
  }
});

describe("any OpenID issuer", () => {
  const IDENTITY = `oidc:${ISSUER},sub=${SUB}`;

  for (const key of ["rs", "es"] as const) {
    test(`that signs with ${key === "rs" ? "RS256" : "ES256"} gives a token`, async () => {
      expect(await ask("oidc", runner(IDENTITY), await world.keys[key].sign(open()))).toEqual(["given", SUB]);
    });
  }

  test("by a subject with a star, and by a claim of any name", async () => {
    const id = runner(`oidc:${ISSUER},sub=repo:acme/infra:*,kubernetes.io/ns=prod,a.b=true`);
    const claims = open({ "kubernetes.io/ns": "prod", a: { b: true } });
    expect((await ask("oidc", id, await world.keys.es.sign(claims)))[0]).toBe("given");
    const evil = { ...claims, sub: "repo:acme/infra-evil:ref:refs/heads/main" };
    expect((await ask("oidc", id, await world.keys.es.sign(evil)))[0]).toBe("refused");
  });

  const at = (iat: number, exp: number) => ({ iat: world.seconds() + iat, exp: world.seconds() + exp });
  const SKEW = EXCHANGE.skew / 1_000;
  for (const [what, over, why] of [
    ["that has expired", () => at(-600, -SKEW - 5), '"exp" claim'],
    ["that is not valid yet", () => ({ nbf: world.seconds() + SKEW + 5 }), '"nbf" claim'],
    ["of the future", () => at(SKEW + 5, 3_600), '"iat" claim'],
    ["without an end", () => ({ exp: undefined }), '"exp" claim'],
    ["without a beginning", () => ({ iat: undefined }), '"iat" claim'],
    ["that lives for weeks", () => at(0, 14 * 86_400), "it lasts too long"],
    ["without an audience", () => ({ aud: undefined }), "it is not for"],
    ["for another coordinator", () => ({ aud: "https://other.example.com" }), "it is not for"],
    ["for one whose name begins so", () => ({ aud: `${ORIGIN}.evil.example` }), "it is not for"],
    ["of another issuer", () => ({ iss: "https://evil.example.com" }), "no identity of this runner is of"],
    ["of an issuer with a slash more", () => ({ iss: `${ISSUER}/` }), "no identity of this runner is of"],
    ["without an issuer", () => ({ iss: undefined }), "the proof is no JWT"],
    ["of another subject", () => ({ sub: "repo:acme/infra:ref:refs/heads/evil" }), "sub is repo:acme"],
    ["without a subject", () => ({ sub: undefined }), '"sub" claim'],
  ] as const) {
    test(`a token ${what} is refused`, async () => {
      const proof = await world.keys.es.sign(open(over()));
      expect(await ask("oidc", runner(IDENTITY), proof)).toEqual(["refused", expect.stringContaining(why)]);
    });
  }

  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const forged = (header: object, sign = (_: string) => "AAAA") => {
    const text = `${part({ kid: "es-1", typ: "JWT", ...header })}.${part(open())}`;
    return `${text}.${sign(text)}`;
  };
  const byPublicKey = (text: string) =>
    createHmac("sha256", JSON.stringify(world.keys.rs.jwk)).update(text).digest("base64url");
  for (const [what, make, why] of [
    ["without a signature", () => forged({ alg: "none" }, () => ""), "the proof is no JWT"],
    ["with an extension that must be understood", () => forged({ alg: "ES256", crit: ["x"], x: 1 }), "not recognized"],
    ["that says it needs none", () => forged({ alg: "none" }), "alg"],
    ["signed with the public key as a secret", () => forged({ alg: "HS256", kid: "rs-1" }, byPublicKey), "alg"],
    ["that brings its own key", () => forged({ alg: "ES256", jwk: world.keys.stranger.jwk }), "signature"],
    ["signed by a stranger under the name of a key", () => world.keys.stranger.sign(open()), "signature"],
    ["signed by one key under the name of another", () => world.keys.rs.sign(open(), { kid: "es-1" }), "does not name"],
    ["changed after it was signed", async () => swap(await world.keys.es.sign(open())), "signature"],
    ["in four parts", async () => `${await world.keys.es.sign(open())}.AAAA`, "the proof is no JWT"],
    ["that is no JSON", () => "AAAA.AAAA.AAAA", "the proof is no JWT"],
    ["with claims that are null", () => `${part({ alg: "ES256" })}.${part(null)}.AAAA`, "the proof is no JWT"],
  ] as const) {
    test(`a token ${what} is refused`, async () => {
      const proof = await make();
      expect(await ask("oidc", runner(IDENTITY), proof)).toEqual(["refused", expect.stringContaining(why)]);
    });
  }
  const swap = (token: string) => {
    const [head, body = "", signature] = token.split(".");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString());
    return `${head}.${part({ ...claims, jti: "changed" })}.${signature}`;
  };

  test("is asked for its keys again when one is not among them, but not by whoever sends what it likes", async () => {
    const id = runner(IDENTITY);
    await ask("oidc", id, await world.keys.es.sign(open()));
    world.asked.length = 0;
    const unknown = await world.keys.stranger.sign(open(), { kid: "es-2" });
    for (let tries = 0; tries < 5; tries += 1)
      expect(await ask("oidc", id, unknown)).toEqual(["refused", expect.stringContaining("does not name")]);
    expect(world.asked.filter((place) => place === "token.example.com/keys").length).toBeLessThanOrEqual(1);
    // The issuer takes a new key into use: known within a minute.
    world.answers.set("token.example.com/keys", () =>
      Response.json({ keys: [{ ...world.keys.stranger.jwk, kid: "es-2" }] }),
    );
    world.advance(EXCHANGE.keysAgain + 1);
    expect((await ask("oidc", id, unknown))[0]).toBe("given");
  });

  test("is asked only when an identity of this runner names it", async () => {
    world.asked.length = 0;
    await ask("oidc", runner(`oidc:https://another.example.com,sub=${SUB}`), await world.keys.es.sign(open()));
    await ask("azure", runner(IDENTITY), await world.keys.es.sign(open()));
    await ask("oidc", "run-of-nobody", await world.keys.es.sign(open()));
    expect(world.asked).toEqual([]);
  });
});

describe("an issuer that does not answer as it should is no reason to believe, and one to come again", () => {
  const KEYS = "/.well-known/openid-configuration";
  const found = (host: string) => `${host}${KEYS}`;
  let hosts = 0;
  for (const [what, document, keys, why] of [
    ["is away", () => new Response("", { status: 503 }), null, "503"],
    ["answers with a page", () => new Response("<html>"), null, "no OpenID document"],
    ["redirects", () => Response.redirect("https://evil.example.com/", 302), null, "redirects"],
    [
      "is another",
      (host: string) => doc({ issuer: "https://evil.example.com", jwks_uri: `https://${host}/keys` }),
      null,
      "another issuer",
    ],
    [
      "names keys without TLS",
      (host: string) => doc({ issuer: `https://${host}`, jwks_uri: `http://${host}/keys` }),
      null,
      "only plain https",
    ],
    [
      "names keys on this machine",
      (host: string) => doc({ issuer: `https://${host}`, jwks_uri: "https://127.0.0.1/keys" }),
      null,
      "names keys on",
    ],
    [
      "names keys beside the metadata",
      (host: string) => doc({ issuer: `https://${host}`, jwks_uri: "https://169.254.169.254/" }),
      null,
      "names keys on",
    ],
    [
      "names keys by a local name",
      (host: string) => doc({ issuer: `https://${host}`, jwks_uri: "https://localhost:1/" }),
      null,
      "names keys on",
    ],
    ["has keys that redirect", own, () => Response.redirect("https://evil.example.com/", 302), "redirects"],
    ["has keys without end", own, () => new Response("x".repeat(EXCHANGE.answerBytes + 1)), "larger than"],
    ["has keys that are none", own, () => Response.json({ keys: "none" }), "no keys"],
    ["has more keys than anybody", own, () => Response.json({ keys: Array(101).fill({ kty: "EC" }) }), "no keys"],
  ] as const) {
    test(what, async () => {
      const host = `issuer-${hosts++}.example.com`;
      world.answers.set(found(host), () => document(host));
      if (keys) world.answers.set(`${host}/keys`, keys);
      const id = runner(`oidc:https://${host},sub=${SUB}`);
      const proof = await world.keys.es.sign(open({ iss: `https://${host}` }));
      expect(await ask("oidc", id, proof)).toEqual(["later", expect.stringContaining(why)]);
    });
  }
  const doc = (value: object) => Response.json(value);
  function own(host: string) {
    return doc({ issuer: `https://${host}`, jwks_uri: `https://${host}/keys` });
  }

  test("goes on with the keys that are known while it is away, for a day", async () => {
    const host = "issuer-away.example.com";
    world.answers.set(`${host}/keys`, () => Response.json({ keys: [world.keys.es.jwk] }));
    const id = runner(`oidc:https://${host},sub=${SUB},jwks=https://${host}/keys`);
    const proof = () => world.keys.es.sign(open({ iss: `https://${host}` }));
    expect((await ask("oidc", id, await proof()))[0]).toBe("given");
    world.answers.set(`${host}/keys`, () => new Response("", { status: 500 }));
    world.advance(EXCHANGE.keysStale - 60_000);
    expect((await ask("oidc", id, await proof()))[0]).toBe("given");
    world.advance(120_000);
    expect((await ask("oidc", id, await proof()))[0]).toBe("later");
  });
});

describe("who asks too often waits", () => {
  test("an address by its refusals, and nobody else for it", async () => {
    const id = runner(`oidc:${ISSUER},sub=${SUB}`);
    for (let tries = 0; tries < EXCHANGE.refusalsPerMinute; tries += 1) {
      expect(world.exchange.busy("192.0.2.66")).toBe(0);
      await world.ask(id, { cloud: "oidc", kind: "jwt", proof: "no" }, "192.0.2.66");
    }
    expect(world.exchange.busy("192.0.2.66")).toBe(60);
    expect(world.exchange.busy("192.0.2.67")).toBe(0);
    world.advance(60_000);
    expect(world.exchange.busy("192.0.2.66")).toBe(0);
  });

  test("an address by what it asks of an issuer that is away", async () => {
    const id = runner(`oidc:https://issuer-gone.example.com,sub=${SUB}`);
    const proof = await world.keys.es.sign(open({ iss: "https://issuer-gone.example.com" }));
    const outcomes: string[] = [];
    for (let tries = 0; tries <= EXCHANGE.outagesPerMinute; tries += 1)
      outcomes.push(await world.ask(id, { cloud: "oidc", kind: "jwt", proof }, "192.0.2.68"));
    expect(outcomes).toEqual([...Array(EXCHANGE.outagesPerMinute).fill("later"), "busy"]);
    expect(world.exchange.busy("192.0.2.69")).toBe(0);
  });

  test("a runner by its tokens", async () => {
    const id = runner(`gcp:${EMAIL}`);
    const proof = await world.keys.rs.sign(google(id));
    const outcomes: string[] = [];
    for (let tries = 0; tries <= EXCHANGE.tokensPerMinute; tries += 1)
      outcomes.push((await ask("gcp", id, proof))[0] ?? "");
    expect(outcomes).toEqual([...Array(EXCHANGE.tokensPerMinute).fill("given"), "busy"]);
  });

  test("everybody when many are asked for at once, until one is answered", async () => {
    const gate = Promise.withResolvers<void>();
    const host = "issuer-slow.example.com";
    world.answers.set(`${host}/keys`, async () => {
      await gate.promise;
      return Response.json({ keys: [world.keys.es.jwk] });
    });
    const id = runner(`oidc:https://${host},sub=${SUB},jwks=https://${host}/keys`);
    const proof = await world.keys.es.sign(open({ iss: `https://${host}`, sub: "another" }));
    world.asked.length = 0;
    const waiting = Array.from({ length: EXCHANGE.atOnce }, () => ask("oidc", id, proof));
    expect((await ask("oidc", id, proof))[0]).toBe("busy");
    gate.resolve();
    expect((await Promise.all(waiting)).map(([outcome]) => outcome)).toEqual(Array(EXCHANGE.atOnce).fill("refused"));
    // One question for all of them.
    expect(world.asked).toEqual([`${host}/keys`]);
  });
});
