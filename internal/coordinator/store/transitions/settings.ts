import type { WishesPatch } from "../../../protocol/runner-wishes.ts";
import { wishesKey, wishReader } from "../runner-wishes.ts";
import type { Store } from "../store.ts";
import { reconsider } from "./offer.ts";
import { joinWhy } from "./retry.ts";

export interface SettingsChange {
  /** null: all runners. */
  readonly runnerId: string | null;
  readonly patch: WishesPatch;
  readonly by: string;
  readonly why?: string;
}

/** Changes what is set, and tells the runners it concerns to read their settings again. false: no such runner. */
export function changeSettings(store: Store, { runnerId, patch, by, why = "" }: SettingsChange): boolean {
  return store.db.transaction(() => {
    if (runnerId !== null && !store.runners.get(runnerId)) return false;
    const merged = Object.entries({ ...wishReader(store.db)().own(runnerId), ...patch }).filter(
      ([, value]) => value != null,
    );
    store.db
      .prepare<unknown, [string, string]>("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)")
      .run(wishesKey(runnerId), JSON.stringify(Object.fromEntries(merged)));
    const seq = store.events.append({ what: "settings-changed", by, why: joinWhy(sayPatch(patch), why), runnerId });
    const concerned = runnerId === null ? store.runners.all().map((runner) => runner.row.id) : [runnerId];
    const raise = store.db.prepare<unknown, [number, string]>("UPDATE runners SET settings_seq = ? WHERE id = ?");
    for (const id of concerned) raise.run(seq, id);
    store.runners.changed();
    for (const id of concerned) store.wake.runner(id);
    reconsider(store);
    return true;
  }, "full");
}

/** Values that may be long, or hold a credential, are only named. */
const NAMED_ONLY: ReadonlySet<string> = new Set(["otel_collector_config", "metadata"]);

function sayPatch(patch: WishesPatch): string {
  return Object.entries(patch)
    .map(([key, value]) => {
      if (value === null) return `${key} unset`;
      return NAMED_ONLY.has(key) ? `${key} set` : `${key}=${Array.isArray(value) ? value.join(",") : String(value)}`;
    })
    .join(", ");
}
