import { inspect } from "node:util";
import type { Facet, ImageFact, JobFacts, ObjectFact, ResourceFact, SourceFact } from "./facts.ts";
import { globMatches, TEXT_LIMIT } from "./glob.ts";
import type { When } from "./schema.ts";
import { inWindow } from "./windows.ts";

/** Whether a rule is about a job. `later`, `never`: it depends on what is not known, and when that will be. */
export type Holds = "yes" | "no" | "later" | "never";
export interface Verdict {
  readonly holds: Holds;
  /** What decided it, for a person. */
  readonly why: string;
}

/**
 * A rule that refuses is about a job of which anything fits; one that allows only about a job of which everything does.
 * So nothing slips through beside what is allowed, and nothing hides what is refused.
 */
export function conditionsHold(when: When, facts: JobFacts, effect: "allow" | "deny", now: number): Verdict {
  const quantifier = effect === "allow" ? all : any;
  const verdicts: Verdict[] = [];
  const add = (verdict: Verdict | null) => verdict !== null && verdicts.push(verdict);
  const { types, operations, times } = when;
  if (types)
    add(
      said(
        types.some((one) => globMatches(one, facts.type)),
        `type ${facts.type}`,
      ),
    );
  if (operations) add(said(operations.includes(facts.operation), `operation ${facts.operation}`));
  if (times) {
    const at = new Date(now).toISOString().slice(0, 16);
    add(
      said(
        times.some((one) => inWindow(one, now)),
        `time ${at}Z`,
      ),
    );
  }
  const { sources, images, commands, releases, terraform, kubernetes } = when;
  if (sources) add(quantifier("source", facts.sources, (one) => sources.some((p) => fitsSource(p, one, effect))));
  if (images) add(quantifier("image", facts.images, (one) => images.some((p) => fitsImage(p, one))));
  if (commands) add(quantifier("command", facts.commands, (one) => fitsCommand(commands, one, effect)));
  if (releases) add(quantifier("release", facts.releases, (one) => among(releases, one)));
  if (terraform) add(quantifier("resource", facts.terraform, (one) => fitsResource(terraform, one, effect)));
  if (kubernetes) add(quantifier("object", facts.kubernetes, (one) => fitsObject(kubernetes, one, effect)));
  return together(verdicts);
}

function together(verdicts: readonly Verdict[]): Verdict {
  const of = (holds: Holds) => verdicts.find((one) => one.holds === holds);
  const decided = of("no") ?? of("never") ?? of("later");
  if (decided) return decided;
  return { holds: "yes", why: verdicts.map(({ why }) => why).join(", ") || "it is about every job" };
}

const said = (holds: boolean, why: string): Verdict => ({ holds: holds ? "yes" : "no", why });

type Quantifier = <T>(what: string, facet: Facet<T> | null, fits: (item: T) => boolean) => Verdict;

const any: Quantifier = (what, facet, fits) => {
  if (facet === null) return said(false, `no ${what}s`);
  const found = facet.items.find(fits);
  if (found !== undefined) return said(true, `${what} ${shown(found)}`);
  return facet.open === "no" ? said(false, `no such ${what}`) : unknown(what, facet.open);
};

const all: Quantifier = (what, facet, fits) => {
  if (facet === null) return said(false, `no ${what}s`);
  const other = facet.items.find((item) => !fits(item));
  if (other !== undefined) return said(false, `${what} ${shown(other)}`);
  if (facet.open !== "no") return unknown(what, facet.open);
  return said(true, facet.items.length === 0 ? `no ${what}` : `every ${what}`);
};

const unknown = (what: string, open: "later" | "never"): Verdict => ({
  holds: open,
  why: open === "later" ? `its ${what}s are known when its plan is made` : `its ${what}s cannot be known beforehand`,
});

const among = (patterns: readonly string[], text: string): boolean => patterns.some((one) => globMatches(one, text));

/** What is too long to compare is never allowed, and always refused. */
function fitsCommand(patterns: readonly string[], line: string, effect: "allow" | "deny"): boolean {
  if (line.length > TEXT_LIMIT) return effect === "deny";
  return patterns.some((one) => globMatches(one, line, { flat: true }));
}

const COMMIT = /^[0-9a-f]{40}$|^[0-9a-f]{64}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** `pinned: false` in a rule that refuses means those that are not. */
const pinFits = (wanted: boolean | undefined, is: boolean): boolean => wanted === undefined || wanted === is;

type SourcePattern = NonNullable<When["sources"]>[number];
function fitsSource(pattern: SourcePattern, source: SourceFact, effect: "allow" | "deny"): boolean {
  if ("packed" in pattern) return source.kind === "packed";
  if ("git" in pattern) {
    if (source.kind !== "git" || !globMatches(pattern.git, source.place)) return false;
    if (pattern.refs && !among(pattern.refs, source.ref)) return false;
    if (effect === "allow" && source.submodules && pattern.submodules !== true) return false;
    return pinFits(pattern.pinned, COMMIT.test(source.ref));
  }
  if (source.kind !== "oci" || !globMatches(pattern.oci, source.place)) return false;
  if (pattern.tags && !among(pattern.tags, source.reference)) return false;
  return pinFits(pattern.pinned, DIGEST.test(source.reference));
}

type ImagePattern = NonNullable<When["images"]>[number];
function fitsImage(pattern: ImagePattern, image: ImageFact): boolean {
  if (typeof pattern === "string") return globMatches(pattern, image.place);
  return globMatches(pattern.image, image.place) && pinFits(pattern.pinned, image.pinned);
}

/** A resource may have several actions: one of them is enough to refuse it, all of them are needed to allow it. */
function fitsResource(
  pattern: NonNullable<When["terraform"]>,
  resource: ResourceFact,
  effect: "allow" | "deny",
): boolean {
  const { resources, addresses, providers, actions } = pattern;
  if (providers && !among(providers, resource.provider)) return false;
  // A provider that is only configured changes nothing: what is said of resources is not about it.
  if (resource.type === "")
    return effect === "allow" || (providers !== undefined && !resources && !addresses && !actions);
  if (resources && !among(resources, resource.type)) return false;
  if (addresses && !among(addresses, resource.address)) return false;
  if (!actions) return true;
  const listed = (action: string) => actions.some((one) => one === action);
  return effect === "deny" ? resource.actions.some(listed) : resource.actions.every(listed);
}

function fitsObject(pattern: NonNullable<When["kubernetes"]>, object: ObjectFact, effect: "allow" | "deny"): boolean {
  const { namespaces, kinds, names, actions } = pattern;
  if (namespaces && !among(namespaces, object.namespace)) return false;
  if (kinds && !among(kinds, object.kind)) return false;
  if (names && !among(names, object.name)) return false;
  if (!actions) return true;
  // The plan will tell.
  return object.action === null ? effect === "allow" : actions.some((one) => one === object.action);
}

const SHOWN = 120;

/** Never cut within a word: half a secret would not be known for one. */
function shortened(line: string): string {
  const [first = ""] = line.split(/\s/);
  return first.length <= SHOWN ? `${first} …` : "…";
}

/** One item in a word or two. */
function shown(item: unknown): string {
  if (typeof item === "string") return JSON.stringify(item.length <= SHOWN ? item : shortened(item));
  if (item === null || typeof item !== "object") return inspect(item);
  const { kind, place, ref, reference, address, type, provider, namespace, name, actions } = item as Record<
    string,
    unknown
  >;
  if (typeof place === "string") return [place, ref ?? reference].filter(Boolean).join(" at ");
  if (typeof address === "string") {
    const acts = Array.isArray(actions) && actions.length > 0 ? ` (${actions.join(", ")})` : "";
    return type === "" ? `of provider ${String(provider)}` : `${address}${acts}`;
  }
  if (typeof name === "string") return [namespace, `${String(kind)} ${name}`].filter(Boolean).join("/");
  return String(kind);
}
