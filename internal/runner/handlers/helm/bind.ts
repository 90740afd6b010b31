import { createHash } from "node:crypto";
import type { Rendering } from "./rendering.ts";
import type { Binding } from "./saved-helm-plan.ts";

type Volatile = Binding["volatile"];
type Texts = ReadonlyMap<string, string>;

/** Lines of objects that differ between two renderings of the same chart with the same values. */
export function volatileLines(first: Rendering, second: Rendering): Volatile {
  const [one, two] = [textsOf(first), textsOf(second)];
  const found: Volatile = {};
  for (const [key, text] of one) {
    const other = two.get(key);
    if (other === text) continue;
    const [a, b] = [text.split("\n"), (other ?? "").split("\n")];
    found[key] = a.length !== b.length ? null : a.flatMap((line, n) => (line === b[n] ? [] : [n]));
  }
  return found;
}

/** Sum of each object without its volatile lines. */
export function objectSums(rendering: Rendering, volatile: Volatile): Record<string, string> {
  return Object.fromEntries(
    [...textsOf(rendering)].map(([key, text]) => [key, sha256(stableText(text, volatile[key]))]),
  );
}

/** What an approved plan and a rendering do not agree on, in words; empty: they agree. */
export function differences(
  approved: Binding,
  rendering: Rendering,
  now: Pick<Binding, "chart" | "values_sha256">,
): string[] {
  const sums = objectSums(rendering, approved.volatile);
  const keys = [...new Set([...Object.keys(approved.objects), ...Object.keys(sums)])].sort();
  const changed = keys.flatMap((key) => {
    if (approved.objects[key] === sums[key]) return [];
    return [
      `${key} ${sums[key] === undefined ? "is missing" : approved.objects[key] === undefined ? "is new" : "differs"}`,
    ];
  });
  return [
    ...(approved.chart === now.chart ? [] : [`the chart is ${now.chart} and was ${approved.chart}`]),
    ...changed,
    // The same objects from other values: helm keeps the values, the next upgrade may show them.
    ...(approved.values_sha256 === now.values_sha256 ? [] : ["the values differ"]),
  ];
}

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function stableText(text: string, lines: readonly number[] | null | undefined): string {
  if (lines === undefined) return text;
  if (lines === null) return "";
  return text
    .split("\n")
    .map((line, n) => (lines.includes(n) ? "" : line))
    .join("\n");
}

const textsOf = ({ objects, hooks }: Rendering): Texts =>
  new Map([...objects, ...hooks].map(({ key, text }) => [key, text]));
