import { oneLine, terminalText } from "./terminal-text.ts";

/** Columns for people, two blanks apart; nothing is cut. Cells may be a runner's own words: they do not reach the terminal as commands. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header.map((word) => word.toUpperCase()), ...rows.map((row) => row.map(oneLine))];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `KEY  value` lines; null values are left out. */
export function facts(pairs: Readonly<Record<string, string | null>>): string {
  const shown = Object.entries(pairs).flatMap(([key, value]) =>
    value === null || value === "" ? [] : [[oneLine(key), terminalText(value, false)] as const],
  );
  const width = Math.max(0, ...shown.map(([key]) => key.length));
  return shown.map(([key, value]) => `${key.padEnd(width)}  ${value}`).join("\n");
}
