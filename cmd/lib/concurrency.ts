import type { Concurrency } from "../../internal/config/setting.ts";
import { type JobGroup, MODE_GROUPS, type RunnerMode } from "../../internal/protocol/enums.ts";
import type { Slots } from "../../internal/protocol/native.ts";

/** Jobs at once per group when nothing is said: small work in parallel, what builds or changes a lot one at a time. */
const DEFAULT_SLOTS: Readonly<Record<JobGroup, number>> = {
  "health-checks": 1,
  sync: 2,
  build: 1,
  deploy: 2,
  sandbox: 1,
  runner: 1,
  operations: 2,
  management: 1,
  actions: 4,
  scripts: 4,
  containers: 2,
  plugins: 2,
};

/** Capacity of a runner: the groups of its mode, each with what was asked for, else `all`, else the default. */
export function slotsFor(mode: RunnerMode, asked: Concurrency | null): Slots {
  return Object.fromEntries(
    MODE_GROUPS[mode].map((group) => [group, asked?.[group] ?? asked?.all ?? DEFAULT_SLOTS[group]]),
  );
}
