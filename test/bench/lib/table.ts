import { type Goal, judge, type Line, type Row, type Unit } from "./row.ts";
import { median, quantile } from "./stats.ts";

export interface Measured {
  readonly row: Row;
  readonly lines: readonly Line[];
}

const HEAD = ["measured", "runs", "median", "p99", "floor (median)", "ratio", "goal", "met"];

/** The table as Markdown with aligned columns: it reads well on a terminal and in the document. */
export function renderTable(measured: readonly Measured[]): string {
  const rows = measured.flatMap(({ lines }) => lines.map(cellsOf));
  const widths = HEAD.map((head, i) =>
    Math.max(...[head, ...rows.map((row) => row[i] ?? "")].map((text) => text.length)),
  );
  const render = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [render(HEAD), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(render)].join("\n");
}

/** What every line of a row means, and for a missed goal by how much and why. */
export function renderNotes({ row, lines }: Measured): string {
  const missed = lines.flatMap((line) => line.goals.flatMap((goal) => missOf(line, goal)));
  const why = missed.length === 0 ? [] : [`- **Missed:** ${missed.join("; ")}. ${row.why}`];
  return [...lines.map((line) => `- ${line.what}: ${line.how}${floorNote(line)}`), ...why].join("\n");
}

/** Names of the goals that were missed, one line each. */
export function missedGoals(measured: readonly Measured[]): string[] {
  return measured.flatMap(({ lines }) => lines.flatMap((line) => line.goals.flatMap((goal) => missOf(line, goal))));
}

function cellsOf(line: Line): string[] {
  const { values, unit, floor, goals } = line;
  const verdicts = goals.map((goal) => judge(line, goal));
  const rates = unit === "MB/s" || unit === "jobs/s";
  // The bad end of a rate is its slowest run.
  const worst = quantile(values, rates ? 0.01 : 0.99);
  const ratio = floor ? median(values) / median(floor.values) : Number.NaN;
  return [
    line.what,
    String(values.length),
    format(median(values), unit),
    format(worst, unit),
    floor ? format(median(floor.values), unit) : "–",
    Number.isFinite(ratio) ? `${ratio.toFixed(ratio < 10 ? 2 : 0)} ×` : "–",
    goals.map((goal) => goal.text).join(", ") || "–",
    verdicts.length === 0 ? "–" : verdicts.every((verdict) => verdict.met) ? "yes" : "**no**",
  ];
}

function missOf(line: Line, goal: Goal): string[] {
  const { met, value } = judge(line, goal);
  if (met) return [];
  const by = format(Math.abs(value - goal.limit), line.unit);
  return [
    `${line.what}: goal ${goal.text}, measured ${format(value, line.unit)} (${by} ${goal.atLeast ? "short" : "over"})`,
  ];
}

const floorNote = (line: Line) => (line.floor ? ` Floor: ${line.floor.what}.` : "");

function format(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return "–";
  const digits = unit === "jobs/s" || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`.replace(" /", "/");
}
