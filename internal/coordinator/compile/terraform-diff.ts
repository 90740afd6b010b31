import { outsideChanges } from "./terraform-drift.ts";
import { isEmptyPlan, type PlanChange, type ResourceChange, type TerraformPlan } from "./terraform-plan.ts";
import { collectSecrets, renderChange, renderValue } from "./terraform-value.ts";

/**
 * Plan JSON as text in Terraform's own manner. Values are hidden by the plan's own sensitive marks, so the text may be
 * shown wherever the change is shown.
 */
export function renderTerraformDiff(plan: TerraformPlan): string {
  const resources = (plan.resource_changes ?? []).filter(isShown);
  const outputs = Object.entries(plan.output_changes ?? {}).filter(([, one]) => kindOf(one.actions) !== "no-op");
  const secrets = secretsOf(plan);
  const blocks = resources.map((resource) => renderResource(resource, secrets));
  const parts = outsideChanges(plan).map((resource) => renderResource(resource, secrets, OUTSIDE));
  if (parts.length > 0) parts.unshift("Changed outside of terraform since the last apply:");
  if (parts.length > 0) parts.push("What this plan would do:");
  if (blocks.length === 0 && outputs.length === 0) parts.push(NO_CHANGES);
  if (blocks.length > 0) parts.push(...blocks, countLine(plan.resource_changes ?? []));
  if (outputs.length > 0)
    parts.push(["Changes to outputs:", ...outputs.map(([name, one]) => renderOutput(name, one, secrets))].join("\n"));
  return `${parts.join("\n\n")}\n`;
}

const NO_CHANGES = "No changes. The infrastructure matches the configuration.";

/** `Plan: 1 to add, …`, or what else it would do; null: nothing. */
export function planLine(plan: TerraformPlan): string | null {
  if (isEmptyPlan(plan)) return null;
  return (plan.resource_changes ?? []).some(isShown) ? countLine(plan.resource_changes ?? []) : "Plan: outputs change.";
}

type Kind = "create" | "update" | "delete" | "replace" | "create-then-delete" | "read" | "forget" | "no-op";

const MARK: Readonly<Record<Kind, string>> = {
  create: "  +",
  update: "  ~",
  delete: "  -",
  replace: "-/+",
  "create-then-delete": "+/-",
  read: " <=",
  forget: "  .",
  "no-op": "   ",
};

const SENTENCE: Readonly<Record<Kind, string>> = {
  create: "will be created",
  update: "will be updated in place",
  delete: "will be destroyed",
  replace: "must be replaced",
  "create-then-delete": "must be replaced (created before destroyed)",
  read: "will be read during apply",
  forget: "will no longer be managed, but not destroyed",
  "no-op": "is unchanged",
};

function kindOf(actions: readonly string[]): Kind {
  if (actions.length === 2) {
    if (actions[0] === "delete") return "replace";
    return actions[1] === "forget" ? "forget" : "create-then-delete";
  }
  const [action] = actions;
  return action !== undefined && action in MARK ? (action as Kind) : "no-op";
}

/** The same changes, seen as what happened. */
const OUTSIDE: Readonly<Partial<Record<Kind, string>>> = { update: "has changed", delete: "has been deleted" };

const isMove = (resource: ResourceChange) => resource.previous_address !== undefined;
const isImport = (resource: ResourceChange) => resource.change.importing != null;
const isShown = (resource: ResourceChange) =>
  kindOf(resource.change.actions) !== "no-op" || isMove(resource) || isImport(resource);

function renderResource(
  resource: ResourceChange,
  secrets: ReadonlySet<string>,
  words: Readonly<Partial<Record<Kind, string>>> = SENTENCE,
): string {
  const kind = kindOf(resource.change.actions);
  const deposed = resource.deposed === undefined ? "" : ` (deposed object ${resource.deposed})`;
  const head = [`  # ${resource.address}${deposed} ${words[kind] ?? SENTENCE[kind]}`];
  if (isMove(resource)) head.push(`  # (moved from ${resource.previous_address})`);
  if (isImport(resource)) head.push("  # (imported)");
  const word = resource.mode === "data" ? "data" : "resource";
  const open = `${MARK[kind]} ${word} "${resource.type}" "${resource.name}" {`;
  return [...head, open, ...renderBody(resource.change, kind, secrets), "    }"].join("\n");
}

function renderBody(change: PlanChange, kind: Kind, secrets: ReadonlySet<string>): string[] {
  const old = { before: change.before, beforeMarks: change.before_sensitive };
  const next = { after: change.after, afterMarks: change.after_sensitive, unknown: change.after_unknown };
  const forced = (change.replace_paths ?? []).map((path) => path.join("."));
  if (kind === "create" || kind === "read") return renderChange({ ...next, forced, secrets });
  if (kind === "delete" || kind === "forget") return renderChange({ ...old, forced, secrets });
  return renderChange({ ...old, ...next, forced, secrets });
}

function renderOutput(name: string, change: PlanChange, secrets: ReadonlySet<string>): string {
  const kind = kindOf(change.actions);
  const before = renderValue({ value: change.before, marks: change.before_sensitive, secrets }, 2);
  const unknown = change.after_unknown;
  const after = renderValue({ value: change.after, marks: change.after_sensitive, unknown, secrets }, 2);
  if (kind === "create") return `  + ${name} = ${after}`;
  if (kind === "delete") return `  - ${name} = ${before}`;
  return `  ~ ${name} = ${before} -> ${after}`;
}

function secretsOf(plan: TerraformPlan): ReadonlySet<string> {
  const secrets = new Set<string>();
  const resources = [...(plan.resource_changes ?? []), ...(plan.resource_drift ?? [])];
  const changes = [...resources.map((r) => r.change), ...Object.values(plan.output_changes ?? {})];
  for (const change of changes) {
    collectSecrets(change.before, change.before_sensitive, secrets);
    collectSecrets(change.after, change.after_sensitive, secrets);
  }
  return secrets;
}

/** `Plan: 1 to add, 0 to change, 2 to destroy.`; a replacement counts as both. */
function countLine(resources: readonly ResourceChange[]): string {
  const managed = resources.filter((resource) => resource.mode !== "data").map((resource) => resource.change.actions);
  const having = (action: string) => managed.filter((actions) => actions.includes(action)).length;
  const imports = resources.filter(isImport).length;
  const forgotten = having("forget");
  const extra = forgotten === 0 ? "" : `, ${forgotten} to forget`;
  const imported = imports === 0 ? "" : `${imports} to import, `;
  return `Plan: ${imported}${having("create")} to add, ${having("update")} to change, ${having("delete")} to destroy${extra}.`;
}
