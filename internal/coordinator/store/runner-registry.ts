import { z } from "zod";
import type { Clock } from "../../kit/base/clock.ts";
import type { JobGroup } from "../../protocol/enums.ts";
import { type Inventory, inventory as inventorySchema, type Slots, sessionRequest } from "../../protocol/native.ts";
import type { RunnerWishes } from "../../protocol/runner-wishes.ts";
import type { Times } from "../../protocol/times.ts";
import type { Db } from "./db.ts";
import { createExchangedTokens } from "./exchanged-tokens.ts";
import { wishReader } from "./runner-wishes.ts";
import type { RunnersTable, SessionsTable } from "./schema.ts";

export type RunnerRow = RunnersTable;
export type SessionRow = SessionsTable;
export type Contact = "online" | "suspect" | "offline" | "never";

/** A runner with its session, decoded once and kept until either row changes. */
export interface KnownRunner {
  readonly row: RunnerRow;
  readonly labels: Readonly<Record<string, string>>;
  /** What an operator has set, for it or for all runners. */
  readonly wishes: RunnerWishes;
  readonly session: {
    readonly row: SessionRow;
    readonly inventory: Inventory | null;
    readonly slots: Slots;
    readonly jobTypes: readonly string[];
  } | null;
}

/** Rows of runners and sessions with the signs of life of this process, which reach the database once a second. */
export interface RunnerRegistry {
  get(runnerId: string): KnownRunner | undefined;
  /** By the token that an operator made for it, or one that it got by its identity. */
  byTokenHash(hash: string): KnownRunner | undefined;
  all(): readonly KnownRunner[];
  /** A sign of life of the runner, now. */
  touch(runnerId: string): void;
  /** Milliseconds since the epoch, null: never. */
  lastContact(runner: KnownRunner): number | null;
  contact(runner: KnownRunner): Contact;
  /** The wall clock was set: signs of life move with it, but for those in `right`, which came since. */
  shift(ms: number, right: { readonly from: number; readonly to: number }): void;
  /** After any write to runners, sessions or settings. */
  changed(): void;
  /** Writes the signs of life; called by the ticker and at stop. */
  flush(): void;
}

const labelsSchema = z.record(z.string(), z.string());
const slotsSchema = sessionRequest.shape.slots;
const typesSchema = z.array(z.string());

export function createRunnerRegistry(db: Db, clock: Clock, times: Times): RunnerRegistry {
  const contacts = new Map<string, number>();
  const dirty = new Set<string>();
  let cache: {
    readonly all: readonly KnownRunner[];
    readonly byId: Map<string, KnownRunner>;
    readonly byHash: Map<string, KnownRunner>;
    readonly exchanged: ReadonlyMap<string, string>;
  } | null = null;
  const tokens = createExchangedTokens(db, clock);
  const runnerRows = db.prepare<RunnerRow, []>("SELECT * FROM runners WHERE deleted_at IS NULL ORDER BY created_at");
  const sessionRows = db.prepare<SessionRow, []>("SELECT * FROM sessions");
  const saveContact = db.prepare<unknown, [number, string, number]>(
    "UPDATE sessions SET last_contact_at = ? WHERE runner_id = ? AND last_contact_at < ?",
  );

  const readWishes = wishReader(db);
  const load = () => {
    if (cache) return cache;
    const sessions = new Map(sessionRows.all().map((row) => [row.runner_id, row]));
    const wishes = readWishes();
    const all = runnerRows.all().map((row) => known(row, sessions.get(row.id), wishes.effective(row.id)));
    cache = {
      all,
      byId: new Map(all.map((runner) => [runner.row.id, runner])),
      byHash: new Map(all.map((runner) => [runner.row.token_hash, runner])),
      exchanged: tokens.load(),
    };
    return cache;
  };

  const lastContact = (runner: KnownRunner): number | null => {
    if (!runner.session) return null;
    return Math.max(runner.session.row.last_contact_at, contacts.get(runner.row.id) ?? 0);
  };

  return {
    get: (runnerId) => load().byId.get(runnerId),
    byTokenHash: (hash) => {
      const { byHash, byId, exchanged } = load();
      const known = byHash.get(hash);
      if (known) return known;
      const runnerId = exchanged.get(hash);
      return runnerId !== undefined && tokens.use(hash) ? byId.get(runnerId) : undefined;
    },
    all: () => load().all,
    touch: (runnerId) => {
      contacts.set(runnerId, clock.now());
      dirty.add(runnerId);
    },
    lastContact,
    contact: (runner) => {
      const at = lastContact(runner);
      if (at === null) return "never";
      const silent = clock.now() - at;
      if (silent <= times.suspect_ms) return "online";
      return silent <= times.offline_ms ? "suspect" : "offline";
    },
    shift: (ms, right) => {
      for (const [id, at] of contacts) if (at < right.from || at > right.to) contacts.set(id, at + ms);
      cache = null;
    },
    changed: () => {
      cache = null;
    },
    flush: () => {
      tokens.settle();
      // Read again once a second: another process may share the folder (run-local).
      cache = null;
      if (dirty.size === 0) return;
      db.transaction(() => {
        for (const id of dirty) {
          const at = contacts.get(id) ?? 0;
          saveContact.run(at, id, at);
        }
      });
      dirty.clear();
    },
  };
}

function known(row: RunnerRow, session: SessionRow | undefined, wishes: RunnerWishes): KnownRunner {
  return {
    row,
    labels: labelsSchema.parse(JSON.parse(row.labels)),
    wishes,
    session: session
      ? {
          row: session,
          inventory: session.inventory === null ? null : inventorySchema.parse(JSON.parse(session.inventory)),
          slots: slotsSchema.parse(JSON.parse(session.slots)),
          jobTypes: typesSchema.parse(JSON.parse(session.job_types)),
        }
      : null,
  };
}

/** Groups with room at all, of a session's announced slots. */
export function groupsOf(slots: Slots): JobGroup[] {
  return (Object.keys(slots) as JobGroup[]).filter((group) => (slots[group] ?? 0) > 0);
}
