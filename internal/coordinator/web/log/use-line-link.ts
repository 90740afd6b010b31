import { useEffect, useState } from "preact/hooks";

/** Lines that an address names, `#L12` or `#L12-L20`. */
export interface LineRange {
  readonly from: number;
  readonly to: number;
}

export function parseLines(hash: string): LineRange | null {
  const found = /^#L([1-9]\d{0,9})(?:-L([1-9]\d{0,9}))?$/.exec(hash);
  if (found === null) return null;
  const [a, b] = [Number(found[1]), Number(found[2] ?? found[1])];
  return { from: Math.min(a, b), to: Math.max(a, b) };
}

export const lineHash = ({ from, to }: LineRange): string => (from === to ? `#L${from}` : `#L${from}-L${to}`);

/** The lines in the address, and a way to put others there. Their numbers are the same for everybody, for good. */
export function useLineLink(): readonly [LineRange | null, (range: LineRange | null) => void] {
  const [range, setRange] = useState(() => parseLines(location.hash));
  useEffect(() => {
    const read = () => setRange(parseLines(location.hash));
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, []);
  const choose = (next: LineRange | null) => {
    const hash = next === null ? "" : lineHash(next);
    history.replaceState(null, "", location.pathname + location.search + hash);
    setRange(next);
  };
  return [range, choose];
}
