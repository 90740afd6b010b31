import { conditionsHold, type Holds } from "./conditions.ts";
import type { JobFacts } from "./facts.ts";
import type { Policy } from "./schema.ts";

export interface RuleView {
  readonly rule: string;
  readonly effect: "allow" | "deny";
  /** `decides`: the first that is about the job; the ones after it are not looked at. */
  readonly applies: "decides" | "no" | "later";
  readonly why: string;
}

export interface Decision {
  /** `later`: it depends on the plan that the tool makes. */
  readonly verdict: "allow" | "deny" | "later";
  /** Name of the rule, or `default`. */
  readonly rule: string;
  /** One line for the person whose job it is. */
  readonly reason: string;
  readonly rules: readonly RuleView[];
}

/**
 * The first rule that is about the job decides; else the policy's default. `last`: nothing more will be known. What
 * cannot be known counts against the job: it meets a rule that refuses, and none that allows.
 */
export function decide(policy: Policy, facts: JobFacts, now: number, last = false): Decision {
  const rules: RuleView[] = [];
  for (const { name, effect, reason = "", when = {} } of policy.rules) {
    const { holds, why } = conditionsHold(when, facts, effect, now);
    const applies = settled(holds, effect, last);
    rules.push({ rule: name, effect, applies, why });
    if (applies !== "decides") continue;
    const seen = effect === "deny" || holds !== "yes" ? ` (${why})` : "";
    return outcome(rules, { rule: name, effect, reason: `${reason}${seen}` });
  }
  const effect = policy.default;
  return outcome(rules, {
    rule: "default",
    effect,
    reason: `no rule allows this ${facts.type} job (${facts.operation})`,
  });
}

function settled(holds: Holds, effect: "allow" | "deny", last: boolean): RuleView["applies"] {
  if (holds === "yes") return "decides";
  if (holds === "no") return "no";
  if (holds === "later" && !last) return "later";
  return effect === "deny" ? "decides" : "no";
}

/** A rule that waits for the plan leaves the job open only where it could change what the later ones say. */
function outcome(
  rules: readonly RuleView[],
  { rule, effect, reason }: { rule: string; effect: "allow" | "deny"; reason: string },
): Decision {
  const open = rules.find((one) => one.applies === "later" && one.effect !== effect);
  if (open !== undefined) return { verdict: "later", rule: open.rule, reason: open.why, rules };
  return {
    verdict: effect,
    rule,
    reason: effect === "allow" && rule === "default" ? "no rule is about it" : reason,
    rules,
  };
}
