import { fail, ok, type Result, RunnerError } from "../../../protocol/errors.ts";
import { newId, newSecret } from "../../../protocol/ids.ts";
import { hashToken } from "../credentials.ts";
import type { Store } from "../store.ts";
import { endTokens, trustIdentity, wrongIdentity } from "./identities.ts";
import { reconsider } from "./offer.ts";

export interface NewRunner {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Gets a token of it by a proof; protocol/runner-identity.ts. Default: nobody. */
  readonly identity?: string | null;
  readonly by: string;
}

/** The token is shown once: only its hash is kept. Kinds: conflict (the name is taken), usage (the identity). */
export function createRunner(store: Store, input: NewRunner): Result<{ readonly id: string; readonly token: string }> {
  return store.db.transaction(() => {
    if (store.runners.all().some((runner) => runner.row.name === input.name)) {
      const remedy = "Choose another name, or delete the old runner first.";
      return fail(new RunnerError("conflict", `a runner named "${input.name}" exists`, { remedy }));
    }
    const { identity = null } = input;
    const wrong = identity === null ? null : wrongIdentity(identity);
    if (wrong) return fail(wrong);
    const id = newId("runner");
    const token = newSecret();
    store.db
      .prepare<unknown, [string, string, string, string, number]>(
        "INSERT INTO runners (id, name, token_hash, labels, created_at) VALUES (?, ?, ?, ?, ?)",
      )
      .run(id, input.name, hashToken(token), JSON.stringify(input.labels), store.clock.now());
    store.events.append({ what: "runner-created", by: input.by, why: input.name, runnerId: id });
    store.runners.changed();
    if (identity !== null) trustIdentity(store, { runnerId: id, identity, by: input.by });
    return ok({ id, token });
  }, "full");
}

/** Its token stops working at once; what it runs is lost like a lease. false: no such runner. */
export function deleteRunner(store: Store, runnerId: string, by: string): boolean {
  return store.db.transaction(() => {
    if (!store.runners.get(runnerId)) return false;
    store.db
      .prepare<unknown, [number, string]>("UPDATE runners SET deleted_at = ? WHERE id = ?")
      .run(store.clock.now(), runnerId);
    store.db.prepare<unknown, [string]>("DELETE FROM sessions WHERE runner_id = ?").run(runnerId);
    store.db.prepare<unknown, [string]>("DELETE FROM runner_identities WHERE runner_id = ?").run(runnerId);
    endTokens(store, runnerId, null);
    store.events.append({ what: "runner-deleted", by, runnerId });
    store.runners.changed();
    store.wake.runner(runnerId);
    reconsider(store);
    return true;
  }, "full");
}

/** A new token; every old one stops working at once, those got by an identity too. null: no such runner. */
export function rotateToken(store: Store, runnerId: string, by: string): { readonly token: string } | null {
  return store.db.transaction(() => {
    if (!store.runners.get(runnerId)) return null;
    const token = newSecret();
    store.db
      .prepare<unknown, [number, string]>(
        "INSERT INTO former_tokens (token_hash, runner_id, ended_at) SELECT token_hash, id, ? FROM runners WHERE id = ?",
      )
      .run(store.clock.now(), runnerId);
    store.db
      .prepare<unknown, [string, string]>("UPDATE runners SET token_hash = ? WHERE id = ?")
      .run(hashToken(token), runnerId);
    endTokens(store, runnerId, null);
    store.events.append({ what: "token-rotated", by, runnerId });
    store.runners.changed();
    store.wake.runner(runnerId);
    return { token };
  }, "full");
}

/** Runners that a token which no longer works belonged to: it was rotated, or the runner was deleted. */
export function formerRunners(store: Store, tokenHash: string): string[] {
  return store.db
    .prepare<{ id: string }, [string]>(
      `SELECT runner_id AS id FROM former_tokens WHERE token_hash = ?1
       UNION SELECT runner_id FROM runner_tokens WHERE token_hash = ?1
       UNION SELECT id FROM runners WHERE token_hash = ?1 AND deleted_at IS NOT NULL`,
    )
    .all(tokenHash)
    .map((row) => row.id);
}

/** A draining runner gets no new work and is told to stop when it is done; a new session of it ends the drain. */
export function drainRunner(store: Store, runnerId: string, by: string, why = ""): boolean {
  return store.db.transaction(() => {
    if (!store.runners.get(runnerId)) return false;
    const seq = store.events.append({ what: "draining", by, why, runnerId });
    store.db
      .prepare<unknown, [number, string]>("UPDATE runners SET draining = 1, drain_seq = ? WHERE id = ?")
      .run(seq, runnerId);
    store.runners.changed();
    store.wake.runner(runnerId);
    reconsider(store);
    return true;
  }, "full");
}
