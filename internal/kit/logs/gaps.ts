/** A range of the output file that will never be shipped; one notice stands for it. */
export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

/** The gaps ahead of the shipping position, in order, not overlapping. */
export interface Gaps {
  add(gap: Gap): void;
  /** The first gap that ends behind `position`. */
  next(position: number): Gap | undefined;
  /** Bytes in gaps behind `position`. */
  bytesAfter(position: number): number;
}

export function createGaps(): Gaps {
  let list: Gap[] = [];
  const add = (gap: Gap) => {
    if (gap.to <= gap.from) return;
    const apart = list.filter((other) => other.to < gap.from || other.from > gap.to);
    const touching = list.filter((other) => !apart.includes(other));
    const from = Math.min(gap.from, ...touching.map((other) => other.from));
    const to = Math.max(gap.to, ...touching.map((other) => other.to));
    list = [...apart, { from, to, why: gap.why }].sort((a, b) => a.from - b.from);
  };
  const next = (position: number) => {
    list = list.filter((gap) => gap.to > position);
    return list[0];
  };
  const bytesAfter = (position: number) =>
    list.reduce((sum, gap) => sum + Math.max(0, gap.to - Math.max(gap.from, position)), 0);
  return { add, next, bytesAfter };
}
