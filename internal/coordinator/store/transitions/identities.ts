import { fail, ok, type Result, RunnerError } from "../../../protocol/errors.ts";
import { newId, newSecret } from "../../../protocol/ids.ts";
import { parseIdentity } from "../../../protocol/runner-identity.ts";
import { hashToken } from "../credentials.ts";
import { TOKEN } from "../exchanged-tokens.ts";
import type { RunnerIdentitiesTable } from "../schema.ts";
import type { Store } from "../store.ts";

/** More hide what is trusted. */
const MOST = 20;

export interface NewIdentity {
  readonly runnerId: string;
  /** protocol/runner-identity.ts */
  readonly identity: string;
  readonly by: string;
}

/** The same again changes nothing. Kinds: usage (it says nothing, or too many); null: no such runner. */
export function trustIdentity(store: Store, input: NewIdentity): Result<RunnerIdentitiesTable> | null {
  const { runnerId, identity, by } = input;
  const wrong = wrongIdentity(identity);
  if (wrong) return fail(wrong);
  return store.db.transaction(() => {
    if (!store.runners.get(runnerId)) return null;
    const there = identitiesOf(store, runnerId);
    const same = there.find((one) => one.identity === identity);
    if (same) return ok(same);
    if (there.length >= MOST) {
      const remedy = "Remove those that are not needed any more.";
      return fail(new RunnerError("usage", `a runner trusts at most ${MOST} identities`, { remedy }));
    }
    const row = {
      id: newId("runnerIdentity"),
      runner_id: runnerId,
      identity,
      created_by: by,
      created_at: store.clock.now(),
    };
    store.db
      .prepare<unknown, [string, string, string, string, number]>(
        "INSERT INTO runner_identities (id, runner_id, identity, created_by, created_at) VALUES (?, ?, ?, ?, ?)",
      )
      .run(row.id, runnerId, identity, by, row.created_at);
    store.events.append({ what: "identity-trusted", by, why: identity, runnerId });
    return ok(row);
  }, "full");
}

/** null: it can be trusted. */
export function wrongIdentity(identity: string): RunnerError | null {
  const parsed = parseIdentity(identity);
  if (parsed.ok) return null;
  const remedy = "`runner runners identities --help` shows one of each kind.";
  return new RunnerError("usage", `the identity "${identity.slice(0, 200)}" cannot be used: ${parsed.error}`, {
    remedy,
  });
}

/** The tokens that it got end at once. false: there is no such identity of that runner. */
export function distrustIdentity(store: Store, runnerId: string, identityId: string, by: string): boolean {
  return store.db.transaction(() => {
    const found = store.runners.get(runnerId) && identitiesOf(store, runnerId).find(({ id }) => id === identityId);
    if (!found) return false;
    store.db.prepare<unknown, [string]>("DELETE FROM runner_identities WHERE id = ?").run(identityId);
    endTokens(store, runnerId, identityId);
    store.wake.runner(runnerId);
    store.events.append({ what: "identity-distrusted", by, why: found.identity, runnerId });
    return true;
  }, "full");
}

export function identitiesOf(store: Store, runnerId: string): RunnerIdentitiesTable[] {
  return store.db
    .prepare<RunnerIdentitiesTable, [string]>(
      "SELECT * FROM runner_identities WHERE runner_id = ? ORDER BY created_at, id",
    )
    .all(runnerId);
}

/** Every token that an identity got, or all identities of the runner did (null), ends now. Inside a transaction. */
export function endTokens(store: Store, runnerId: string, identityId: string | null): void {
  const now = store.clock.now();
  store.db
    .prepare<unknown, [number, string, string | null, string | null, number]>(
      `UPDATE runner_tokens SET ends_at = ? WHERE runner_id = ? AND (? IS NULL OR identity_id = ?)
       AND (ends_at IS NULL OR ends_at > ?)`,
    )
    .run(now, runnerId, identityId, identityId, now);
  store.runners.changed();
}

export interface Issue {
  readonly runnerId: string;
  readonly identityId: string;
  /** Who proved to be there, and from where; for the timeline. */
  readonly subject: string;
  readonly address: string;
  /** SHA-256 of what of a proof counts once. */
  readonly proofHash: string | null;
  /** ms; null: until the next one is used. */
  readonly lifeMs: number | null;
}

export interface Issued {
  readonly token: string;
  /** ms since the epoch. */
  readonly endsAt: number | null;
}

/**
 * A token of its own for who proved an identity. The ones before it go on until this one was used: an answer that got
 * lost leaves nobody without. null: the proof was shown before, or the identity is not trusted any more.
 */
export function issueToken(store: Store, issue: Issue): Issued | null {
  const { db } = store;
  const { runnerId, identityId, subject, address, proofHash, lifeMs } = issue;
  return db.transaction(() => {
    if (!store.runners.get(runnerId) || !identitiesOf(store, runnerId).some(({ id }) => id === identityId)) return null;
    const now = store.clock.now();
    forgetTokens(store, runnerId, identityId, now);
    const seen = db.prepare<{ one: 1 }, [string | null]>("SELECT 1 AS one FROM runner_tokens WHERE proof_hash = ?");
    if (proofHash !== null && seen.get(proofHash)) return null;
    const token = newSecret();
    const endsAt = lifeMs === null ? null : now + lifeMs;
    db.prepare<unknown, [string, string, string, string, string, string | null, number, number | null]>(
      `INSERT INTO runner_tokens (token_hash, runner_id, identity_id, subject, address, proof_hash, issued_at, ends_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(hashToken(token), runnerId, identityId, subject, address, proofHash, now, endsAt);
    store.events.append({ what: "token-exchanged", by: subject, why: `from ${address}`, runnerId });
    store.runners.changed();
    return { token, endsAt };
  }, "full");
}

/** Rows of tokens that ended go after a while; of those that nobody used only the newest few may still be. */
function forgetTokens(store: Store, runnerId: string, identityId: string, now: number): void {
  store.db
    .prepare<unknown, [number, string, string, number]>(
      `UPDATE runner_tokens SET ends_at = ?1
       WHERE runner_id = ?2 AND identity_id = ?3 AND used_at IS NULL AND (ends_at IS NULL OR ends_at > ?1)
       AND token_hash NOT IN (SELECT token_hash FROM runner_tokens
         WHERE runner_id = ?2 AND identity_id = ?3 AND used_at IS NULL ORDER BY issued_at DESC LIMIT ?4)`,
    )
    .run(now, runnerId, identityId, TOKEN.waiting - 1);
  store.db
    .prepare<unknown, [string, number, number, number, number]>(
      `DELETE FROM runner_tokens WHERE runner_id = ?1 AND (
         (used_at IS NULL AND ends_at <= ?2 AND issued_at <= ?3) OR (used_at IS NULL AND issued_at <= ?4)
         OR (used_at IS NOT NULL AND coalesce(ends_at, used_at) <= ?5))`,
    )
    .run(runnerId, now, now - TOKEN.spent, now - TOKEN.unused - TOKEN.spent, now - TOKEN.kept);
  store.db
    .prepare<unknown, [string, number, number, number]>(
      `DELETE FROM runner_tokens WHERE runner_id = ?1 AND ends_at <= ?2 AND issued_at <= ?3
       AND token_hash NOT IN (SELECT token_hash FROM runner_tokens WHERE runner_id = ?1 ORDER BY issued_at DESC LIMIT ?4)`,
    )
    .run(runnerId, now, now - TOKEN.spent, TOKEN.former);
}
