import type { Layout } from "./layout.ts";
import type { OpenUpdate, UpdateDocument, UpdateJournal } from "./update-journal.ts";
import { withBad } from "./updater.ts";
import type { Versions } from "./versions.ts";

/** A new version may be started so often before it has to be healthy. */
const STARTS = 3;

export interface GuardDeps {
  readonly layout: Layout;
  readonly journal: UpdateJournal;
  readonly now: () => number;
  /** Of the program that counts: a guard is of the version before, so that one that cannot even load is counted too. */
  readonly by: "guard" | "itself";
}

/** Phases in which the links may name a version that has not proved itself. */
const UNPROVED: ReadonlySet<OpenUpdate["phase"]> = new Set(["switch", "start", "probation", "self", "pending", "back"]);

/**
 * Counts a start of a version that has not proved itself yet: the links name it, so whoever is started again in the
 * middle of an update is of it too. At the fourth, and at once when it was judged already, the links go back:
 * `rolled-back`, and what is started next is the version before.
 */
export function guardStart({ layout, journal, now, by }: GuardDeps): "go" | "rolled-back" {
  const doc = journal.read();
  const { open } = doc;
  if (open === null || open.from === null || !UNPROVED.has(open.phase)) return "go";
  if (layout.pointers().current !== open.version || open.version === open.from) return "go";
  if (by === "itself" && open.guarded) {
    journal.write({ ...doc, open: { ...open, guarded: false } });
    return "go";
  }
  const starts = open.starts + 1;
  if (open.phase !== "back" && starts <= STARTS) {
    journal.write({ ...doc, open: { ...open, starts, guarded: by === "guard" } });
    return "go";
  }
  const reason = open.reason || `it was started ${STARTS} times and never became healthy`;
  const next = given(doc, open, reason, now());
  // The links first: a kill in between comes here again.
  layout.point({ current: open.from, previous: open.before });
  journal.write(next);
  return "rolled-back";
}

function given(doc: UpdateDocument, open: OpenUpdate, reason: string, at: number): UpdateDocument {
  const bad = withBad(doc.bad, { version: open.version, reason, at_ms: at });
  // mng takes the runner back with it; a runner of its own has nothing else to take back.
  if (open.phase !== "pending") return { ...doc, bad, open: { ...open, phase: "back", reason } };
  const { id, cause, version, from, started_ms } = open;
  const why = `${reason}; ${from} runs again`;
  return {
    ...doc,
    bad,
    open: null,
    last: { id, cause, version, from, outcome: "rolled-back", reason: why, started_ms, ended_ms: at, told: false },
  };
}

/** Whether it is of no use to try this version by itself again, and why. */
export function knownBad(doc: UpdateDocument, wanted: string, is: Versions["is"]): string | null {
  return doc.bad.find(({ version }) => is(wanted, version) || version === wanted)?.reason ?? null;
}
