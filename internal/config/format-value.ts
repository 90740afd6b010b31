import type { Address, Setting } from "./setting.ts";

/** A parsed value as a config file would hold it: text, number, boolean, or a map of pairs. null: no value. */
export type Written = string | number | boolean | Readonly<Record<string, string | number>> | null;

/** The inverse of parseValue: read again it gives the same value. Never called for a secret. */
export function formatValue(setting: Setting, value: unknown): Written {
  if (value === null || value === undefined) return null;
  switch (setting.type) {
    case "duration":
      return scaled(Number(value), DURATIONS);
    case "bytes":
      return scaled(Number(value), SIZES);
    case "address":
      return formatAddress(value as Address);
    case "slots":
    case "labels":
      return value as Readonly<Record<string, string | number>>;
    case "int":
      return Number(value);
    case "bool":
      return value === true;
    default:
      return String(value);
  }
}

const DURATIONS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;
const SIZES = [
  ["PiB", 2 ** 50],
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["B", 1],
] as const;

/** In the largest unit that divides it. */
function scaled(value: number, units: readonly (readonly [string, number])[]): string {
  const [unit, size] = units.find(([, one]) => value >= one && value % one === 0) ?? units[units.length - 1] ?? ["", 1];
  return `${value / size}${unit}`;
}

function formatAddress({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
