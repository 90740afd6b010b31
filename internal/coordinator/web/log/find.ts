import { type Row, visibleText } from "./buffer.ts";
import { plainText } from "./sgr.ts";

/** More hits than this are not counted: nobody steps through them. */
export const HIT_LIMIT = 5_000;

/** Indexes of the rows that show `wanted`, upper and lower case alike. */
export function findRows(rows: readonly Row[], wanted: string): readonly number[] {
  const needle = wanted.toLowerCase();
  const hits: number[] = [];
  if (needle === "") return hits;
  for (let i = 0; i < rows.length && hits.length < HIT_LIMIT; i++) {
    const text = rows[i]?.text ?? "";
    if (plainText(visibleText(text)).toLowerCase().includes(needle)) hits.push(i);
  }
  return hits;
}
