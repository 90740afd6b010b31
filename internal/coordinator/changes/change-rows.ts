import type { ChangeStatus } from "../../protocol/enums.ts";
import type { ChangesTable } from "../store/schema.ts";
import type { Store } from "../store/store.ts";

export type ChangeRow = ChangesTable;

const OPEN: readonly string[] = ["planning", "approval-awaiting", "applying"] satisfies ChangeStatus[];
export const isOpen = (change: ChangeRow): boolean => OPEN.includes(change.status);

export function readChange(store: Store, id: string): ChangeRow | null {
  return store.db.prepare<ChangeRow, [string]>("SELECT * FROM changes WHERE id = ?").get(id);
}

/** Writes columns of a change and, when its status moves, the event of it. Inside a transaction. */
export function updateChange(
  store: Store,
  change: ChangeRow,
  values: Partial<ChangeRow> & { readonly status: ChangeStatus },
  event: { readonly by: string; readonly why: string },
): void {
  const now = store.clock.now();
  const { db } = store;
  const ended = isOpen({ ...change, status: values.status }) ? {} : { finished_at: now };
  db.run(
    db.kysely
      .updateTable("changes")
      .set({ ...values, ...ended, updated_at: now })
      .where("id", "=", change.id),
  );
  store.events.append({ what: values.status, by: event.by, why: event.why, changeId: change.id });
}
