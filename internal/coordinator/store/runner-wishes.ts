import { type RunnerWishes, runnerWishes } from "../../protocol/runner-wishes.ts";
import type { Db } from "./db.ts";

/** Keys of the settings table: of all runners, and of one. */
const ALL = "runner-settings";
export const wishesKey = (runnerId: string | null): string => (runnerId === null ? ALL : `${ALL}:${runnerId}`);

/** What operators have set, as it was when it was read. */
export interface Wishes {
  /** On one level; null: for all runners. Empty when nothing is set. */
  own(runnerId: string | null): RunnerWishes;
  /** What counts; null: for a runner of which nothing is set. */
  effective(runnerId: string | null): RunnerWishes;
}

/** Reads all of it at once: it is little, and wanted for every runner. */
export function wishReader(db: Db): () => Wishes {
  // ';' follows ':' : every key that begins with the name and a colon.
  const rows = db.prepare<{ key: string; value: string }, [string, string, string]>(
    "SELECT key, value FROM settings WHERE key = ? OR (key > ? AND key < ?)",
  );
  return () => {
    // A key of a later version is not ours to obey.
    const parse = (text: string) => runnerWishes.strip().parse(JSON.parse(text));
    const byKey = new Map(rows.all(ALL, `${ALL}:`, `${ALL};`).map(({ key, value }) => [key, parse(value)]));
    const own: Wishes["own"] = (runnerId) => byKey.get(wishesKey(runnerId)) ?? {};
    return {
      own,
      effective(runnerId) {
        const all = own(null);
        if (runnerId === null) return all;
        const mine = own(runnerId);
        const metadata = { ...all.metadata, ...mine.metadata };
        return { ...all, ...mine, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
      },
    };
  };
}
