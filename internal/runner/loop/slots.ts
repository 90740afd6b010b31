import type { JobGroup } from "../../protocol/enums.ts";
import type { Slots } from "../../protocol/native.ts";

/** Free capacity per group; `changed` wakes the claim loop. */
export function createSlots(capacity: Slots, changed: () => void) {
  const used = new Map<JobGroup, number>();
  return {
    take(group: JobGroup): void {
      used.set(group, (used.get(group) ?? 0) + 1);
    },
    give(group: JobGroup): void {
      used.set(group, Math.max(0, (used.get(group) ?? 0) - 1));
      changed();
    },
    free(): Slots {
      const free: Slots = {};
      for (const [group, size] of Object.entries(capacity) as [JobGroup, number][]) {
        free[group] = Math.max(0, size - (used.get(group) ?? 0));
      }
      return free;
    },
  };
}
export type SlotPool = ReturnType<typeof createSlots>;

export const totalSlots = (slots: Slots): number => Object.values(slots).reduce((sum, n) => sum + (n ?? 0), 0);
