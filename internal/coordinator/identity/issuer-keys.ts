import type { JSONWebKeySet } from "jose";
import { z } from "zod";
import type { Clock } from "../../kit/base/clock.ts";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { EXCHANGE } from "./limits.ts";
import type { Outbound } from "./outbound.ts";

export interface KeyPlace {
  readonly issuer: string;
  /** null: the issuer's OpenID document names it. */
  readonly keys: string | null;
}

/** The public keys of issuers, remembered. */
export interface IssuerKeys {
  /** `again`: a key was not among them; asked for again, but not often. The error is one line. */
  of(place: KeyPlace, again?: boolean): Promise<Result<JSONWebKeySet, string>>;
}

interface Known {
  keys: JSONWebKeySet | null;
  /** Of the keys, and of the last try; monotonic ms. */
  readAt: number;
  triedAt: number;
  asking: Promise<string | null> | null;
}

const jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });
const discovery = z.object({ issuer: z.string(), jwks_uri: z.string().max(2_048) });

/** Only places of identities that an admin set get here, so what is remembered is theirs to bound; it is bounded all the same. */
export function createIssuerKeys(outbound: Outbound, clock: Pick<Clock, "monotonic">): IssuerKeys {
  const known = new Map<string, Known>();

  const of: IssuerKeys["of"] = async (place, again = false) => {
    const name = `${place.issuer} ${place.keys ?? ""}`;
    const one = known.get(name) ?? { keys: null, readAt: 0, triedAt: Number.NEGATIVE_INFINITY, asking: null };
    known.delete(name);
    known.set(name, one);
    if (known.size > EXCHANGE.issuers) known.delete(known.keys().next().value ?? "");
    const now = clock.monotonic();
    const old = one.keys === null || now - one.readAt > EXCHANGE.keysFresh;
    const rested = now - one.triedAt > EXCHANGE.keysAgain;
    let trouble: string | null = null;
    if (one.asking || one.keys === null || ((old || again) && rested)) {
      one.asking ??= read(one, place).finally(() => {
        one.asking = null;
      });
      trouble = await one.asking;
    }
    if (one.keys !== null && clock.monotonic() - one.readAt <= EXCHANGE.keysStale) return ok(one.keys);
    return fail(trouble ?? "its keys are too old");
  };

  async function read(one: Known, place: KeyPlace): Promise<string | null> {
    one.triedAt = clock.monotonic();
    const found = await fetchKeys(place, outbound);
    if (!found.ok) return found.error;
    one.keys = found.value;
    one.readAt = one.triedAt;
    return null;
  }
  return { of };
}

async function fetchKeys(place: KeyPlace, outbound: Outbound): Promise<Result<JSONWebKeySet, string>> {
  const where = place.keys === null ? await discovered(place.issuer, outbound) : ok(place.keys);
  if (!where.ok) return where;
  const said = await outbound(where.value);
  if (!said.ok) return said;
  const parsed = jwks.safeParse(said.value.json);
  if (said.value.status === 200 && parsed.success) return ok(parsed.data);
  return fail(`${new URL(where.value).host} answers ${said.value.status} and no keys`);
}

async function discovered(issuer: string, outbound: Outbound): Promise<Result<string, string>> {
  const said = await outbound(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  if (!said.ok) return said;
  const parsed = discovery.safeParse(said.value.json);
  if (said.value.status !== 200 || !parsed.success)
    return fail(`${issuer} answers ${said.value.status} and no OpenID document`);
  if (parsed.data.issuer !== issuer) return fail(`the OpenID document of ${issuer} is for another issuer`);
  const { jwks_uri: keys } = parsed.data;
  // An issuer may name any host, but not this machine or what only this machine reaches.
  if (URL.parse(keys)?.host !== new URL(issuer).host && isNear(URL.parse(keys)?.hostname ?? ""))
    return fail(`${issuer} names keys on ${URL.parse(keys)?.host}`);
  return ok(keys);
}

const isNear = (host: string): boolean =>
  /^(127\.|0\.|169\.254\.|\[::1?\]$|\[fe[89ab]|\[::ffff:)/i.test(host) || /(^|\.)localhost\.?$/i.test(host);
