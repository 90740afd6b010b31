import type { RunnerEvent } from "../../../protocol/native.ts";
import type { Store } from "../store.ts";

/** Into the timeline. A runner tells one after another, so the id of its last one is enough to know a repetition. */
export function recordRunnerEvent(store: Store, runnerId: string, { id, what, why }: RunnerEvent): void {
  store.db.transaction(() => {
    const key = `told:${runnerId}`;
    const last = store.db.prepare<{ value: string }, [string]>("SELECT value FROM settings WHERE key = ?").get(key);
    if (last?.value === id) return;
    store.db
      .prepare<unknown, [string, string]>("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)")
      .run(key, id);
    store.events.append({ what, by: `runner:${runnerId}`, why, runnerId });
  }, "full");
}
