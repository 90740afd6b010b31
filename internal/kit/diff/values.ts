/** One place where two values differ. `undefined`: it is not there on that side. */
export interface ValueChange {
  /** `spec.containers[0].image`; keys with dots in brackets. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Where two JSON values differ, as deep as both have the same shape; ordered by path, whatever the order of keys. */
export function diffValues(before: unknown, after: unknown, path = ""): readonly ValueChange[] {
  if (Bun.deepEquals(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, n) => diffValues(before[n], after[n], `${path}[${n}]`)).flat();
  }
  if (isRecord(before) && isRecord(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => diffValues(before[key], after[key], joined(path, key)));
  }
  return [{ path, before, after }];
}

function joined(path: string, key: string): string {
  if (/[.[\]]/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
