import { plainText } from "../../../protocol/log-text.ts";

/** What a plan does with one thing. `other`: it is moved, imported, read or forgotten. */
export type PlanAction = "create" | "update" | "replace" | "delete" | "other";

export interface PlanBlock {
  /** Address of a resource. */
  readonly address: string;
  /** `will be created`. */
  readonly sentence: string;
  readonly action: PlanAction;
  /** Readable diff without the heading. */
  readonly lines: readonly string[];
}

export interface PlanText {
  readonly blocks: readonly PlanBlock[];
  /** Lines that belong to no resource: changes to outputs, and the count. */
  readonly rest: readonly string[];
}

const HEADING =
  /^ {2}# (\S.*?) ((?:will be (?:created|updated in place|destroyed|read during apply))|(?:must be replaced(?: \(created before destroyed\))?)|will no longer be managed, but not destroyed|is unchanged)$/;

const ACTIONS: readonly (readonly [RegExp, PlanAction])[] = [
  [/created$/, "create"],
  [/updated/, "update"],
  [/destroyed$/, "delete"],
  [/replaced/, "replace"],
];

/** The readable plan taken apart by resource; null when it has another form (then it is shown as it is). */
export function parsePlan(text: string): PlanText | null {
  const blocks: PlanBlock[] = [];
  const rest: string[] = [];
  let open: { address: string; sentence: string; lines: string[] } | null = null;
  const close = () => {
    if (open !== null) blocks.push({ ...open, action: actionOf(open.sentence) });
    open = null;
  };
  let blank = true;
  for (const line of text.trimEnd().split("\n").map(plainText)) {
    // A heading stands behind an empty line; inside of a value everything is indented deeper.
    const found = blank ? HEADING.exec(line) : null;
    if (found !== null) {
      close();
      open = { address: found[1] ?? "", sentence: found[2] ?? "", lines: [] };
    } else if (open === null) rest.push(line);
    else {
      open.lines.push(line);
      if (line === "    }") close();
    }
    blank = line === "";
  }
  close();
  return blocks.length === 0 ? null : { blocks, rest: trimmed(rest) };
}

function actionOf(sentence: string): PlanAction {
  if (sentence.startsWith("will no longer")) return "other";
  return ACTIONS.find(([words]) => words.test(sentence))?.[1] ?? "other";
}

/** Without the empty lines that stood between resources. */
function trimmed(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line, index) => line !== "" || (lines[index - 1] ?? "") !== "")
    .join("\n")
    .trim()
    .split("\n");
}

/** How many resources of each kind. */
export function countPlan(blocks: readonly PlanBlock[]): Readonly<Record<PlanAction, number>> {
  const counts = { create: 0, update: 0, replace: 0, delete: 0, other: 0 };
  for (const { action } of blocks) counts[action]++;
  return counts;
}

export const ACTION_WORDS: Readonly<Record<PlanAction, { readonly sign: string; readonly noun: string }>> = {
  create: { sign: "+", noun: "to add" },
  update: { sign: "~", noun: "to change" },
  replace: { sign: "±", noun: "to replace" },
  delete: { sign: "−", noun: "to destroy" },
  other: { sign: "·", noun: "other" },
};

/** What a plan takes away, as a warning; null when it takes nothing away. */
export function lossWords(text: string | null): string | null {
  const plan = text === null ? null : parsePlan(text);
  if (plan === null) return null;
  const { delete: gone, replace } = countPlan(plan.blocks);
  const parts = [
    ...(gone === 0 ? [] : [`destroys ${gone} ${gone === 1 ? "resource" : "resources"}`]),
    ...(replace === 0 ? [] : [`replaces ${replace}`]),
  ];
  return parts.length === 0 ? null : `This plan ${parts.join(" and ")}.`;
}
