import type { ResourceChange, TerraformPlan } from "./terraform-plan.ts";

/**
 * Resources that something else changed or removed since the last apply. Providers report an empty value where the
 * state has none: such a difference is none.
 */
export function outsideChanges(plan: TerraformPlan): ResourceChange[] {
  return (plan.resource_drift ?? []).filter(({ change }) => {
    if (change.actions.every((action) => action === "no-op" || action === "read")) return false;
    return !Bun.deepEquals(full(change.before), full(change.after));
  });
}

/** The value without members that hold nothing; undefined when nothing is left. */
function full(value: unknown): unknown {
  if (value === null || value === undefined || value === "") return undefined;
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(full);
  const members = Object.entries(value)
    .map(([key, member]) => [key, full(member)] as const)
    .filter(([, member]) => member !== undefined);
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** What a check for drift found. */
export interface Drift {
  readonly drifted: boolean;
  /** One line for people. */
  readonly summary: string;
}

/** `planned`: the count line of the plan, null when it would change nothing. */
export function driftOf(plan: TerraformPlan, planned: string | null): Drift {
  const outside = outsideChanges(plan).length;
  if (outside === 0 && planned === null) return { drifted: false, summary: "no drift" };
  const found =
    outside === 0 ? "nothing was changed outside of terraform" : `${resources(outside)} changed outside of terraform`;
  return { drifted: true, summary: `${found}; ${planned?.replace(/\.$/, "") ?? "an apply would change nothing"}` };
}

const resources = (n: number) => (n === 1 ? "1 resource was" : `${n} resources were`);
