import { createHash } from "node:crypto";
import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import type { Fetch } from "../../kit/http/http.ts";
import type { Counter } from "../../kit/telemetry/metrics.ts";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { parseIdentity, type RunnerIdentity } from "../../protocol/runner-identity.ts";
import type { TokenExchange } from "../../protocol/token-exchange.ts";
import type { AuditLog } from "../audit.ts";
import type { Store } from "../store/store.ts";
import { type Issued, identitiesOf, issueToken } from "../store/transitions/identities.ts";
import { checkAws } from "./aws-proof.ts";
import { createIssuerKeys } from "./issuer-keys.ts";
import { checkJwt } from "./jwt-proof.ts";
import { EXCHANGE } from "./limits.ts";
import { createOutbound } from "./outbound.ts";
import { createRate, networkOf } from "./rate.ts";
import { type Proven, type Refusal, refused, type Trusted, type Verdict } from "./verdict.ts";

/** How tokens are given for identities. */
export interface ExchangeOptions {
  /** PEM of a private authority, beside the public ones, for issuers and STS; null: none. */
  readonly ca: string | null;
  /** Origin that stands for AWS STS beside AWS' own; null: none. */
  readonly stsEndpoint: string | null;
  /** A token's life in milliseconds; null: until the next one is used. */
  readonly tokenLifeMs: number | null;
}

export interface ExchangeDeps {
  readonly store: Store;
  readonly audit: AuditLog;
  readonly log: SystemLog;
  /** Scheme and host as runners are told them; a proof has to be for it. */
  readonly origin: string;
  readonly clock: Clock;
  readonly options: ExchangeOptions;
  /** By outcome: given, refused, later, busy. */
  readonly counted?: Counter;
  readonly fetch?: Fetch;
}

/** `busy`: too many; the seconds to wait. The others are those of a refusal. */
export type ExchangeFailure = { readonly kind: Refusal["kind"] } | { readonly kind: "busy"; readonly seconds: number };

export interface Exchange {
  /** Before the body is read. 0: there is room. */
  busy(address: string): number;
  exchange(runnerId: string, request: TokenExchange, address: string): Promise<Result<Issued, ExchangeFailure>>;
}

/** A proof of identity for the token of a runner. The answer to a refusal is one and takes its time, whatever the reason. */
export function createExchange(deps: ExchangeDeps): Exchange {
  const { store, log, clock, options } = deps;
  const outbound = createOutbound(options.ca, deps.fetch);
  const keys = createIssuerKeys(outbound, clock);
  const refusals = createRate(EXCHANGE.refusalsPerMinute, clock.monotonic);
  const outages = createRate(EXCHANGE.outagesPerMinute, clock.monotonic);
  const tokens = createRate(EXCHANGE.tokensPerMinute, clock.monotonic);
  let running = 0;
  const busy = (address: string) => {
    const network = networkOf(address);
    return Math.max(refusals.wait(network), outages.wait(network));
  };

  function check(runnerId: string, { cloud, kind, proof }: TokenExchange): Promise<Verdict> | Verdict {
    if ((cloud === "aws") !== (kind === "aws-sts")) return refused(`${kind} is no proof of ${cloud}`);
    const target = { runnerId, origin: deps.origin, now: clock.now() };
    const trusted = store.runners.get(runnerId) ? identitiesOf(store, runnerId).flatMap(parsed) : [];
    const aws = trusted.flatMap(({ id, identity }) => (identity.cloud === "aws" ? [{ id, identity }] : []));
    const jwt = trusted.flatMap(({ id, identity }) => (identity.cloud === "aws" ? [] : [{ id, identity }]));
    const mine = jwt.filter(({ identity }) => identity.cloud === cloud);
    if ((cloud === "aws" ? aws : mine).length === 0)
      return refused("no such runner, or it trusts no identity of that kind");
    if (cloud === "aws") return checkAws(proof, aws, target, { outbound, endpoint: options.stsEndpoint });
    return checkJwt(proof, mine, target, keys);
  }

  async function give(runnerId: string, proven: Proven, address: string): Promise<Result<Issued, ExchangeFailure>> {
    const seconds = tokens.wait(runnerId);
    if (seconds > 0) return fail({ kind: "busy", seconds });
    const { subject, identityId, once } = proven;
    const proofHash = once === null ? null : createHash("sha256").update(once).digest("hex");
    const issued = issueToken(store, {
      runnerId,
      identityId,
      subject,
      address,
      proofHash,
      lifeMs: options.tokenLifeMs,
    });
    if (issued === null) return refuse(runnerId, "the proof was shown before", address);
    tokens.count(runnerId);
    log.info("a token was given for an identity", { runner: runnerId, subject, address });
    const path = `/v1/runners/${runnerId}/token-exchange`;
    const reason = `from ${address}`;
    await deps.audit.append({
      actor: subject,
      method: "POST",
      path,
      status: 201,
      outcome: "done",
      reason,
      made: identityId,
    });
    return ok(issued);
  }

  function refuse(runnerId: string, why: string, address: string): Result<never, ExchangeFailure> {
    refusals.count(networkOf(address));
    log.warn("no token for an identity", { runner: runnerId.slice(0, 64), address, why: why.slice(0, 500) });
    return fail({ kind: "refused" });
  }

  async function exchange(
    runnerId: string,
    request: TokenExchange,
    address: string,
  ): Promise<Result<Issued, ExchangeFailure>> {
    // Again: many may have come to the door at once.
    const seconds = busy(address);
    if (seconds > 0) return fail({ kind: "busy", seconds });
    const began = clock.monotonic();
    const answer = await inTurn(runnerId, request, address);
    deps.counted?.add(1, answer.ok ? "given" : answer.error.kind);
    if (!answer.ok && answer.error.kind === "refused")
      await clock.sleep(EXCHANGE.refusal - (clock.monotonic() - began));
    return answer;
  }

  async function inTurn(
    runnerId: string,
    request: TokenExchange,
    address: string,
  ): Promise<Result<Issued, ExchangeFailure>> {
    if (running >= EXCHANGE.atOnce) return fail({ kind: "busy", seconds: 1 });
    running += 1;
    try {
      const verdict = await check(runnerId, request);
      return verdict.ok ? await give(runnerId, verdict.value, address) : told(runnerId, verdict.error, address);
    } finally {
      running -= 1;
    }
  }

  function told(runnerId: string, { kind, why }: Refusal, address: string): Result<never, ExchangeFailure> {
    if (kind === "refused") return refuse(runnerId, why, address);
    outages.count(networkOf(address));
    log.warn("an identity cannot be checked now", { runner: runnerId, address, why: why.slice(0, 500) });
    return fail({ kind });
  }

  return { busy, exchange };
}

/** What is stored was checked when it was; a row of a newer version counts for nothing. */
function parsed({ id, identity }: { readonly id: string; readonly identity: string }): Trusted<RunnerIdentity>[] {
  const read = parseIdentity(identity);
  return read.ok ? [{ id, identity: read.value }] : [];
}
