/** Why a name is no time zone; null: it is one. */
export function zoneFault(zone: string): string | null {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return null;
  } catch {
    return `${JSON.stringify(zone)} is no time zone; write one such as Europe/Berlin or UTC`;
  }
}

interface TimeWindow {
  readonly days?: readonly string[] | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly zone: string;
}

const DAY_MS = 86_400_000;
const WEEK = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/**
 * Whether the moment (ms since the epoch) lies in the window. One that ends before it begins goes on into the next day
 * and belongs to the day it began on, for its days and dates too.
 */
export function inWindow(window: TimeWindow, at: number): boolean {
  const { from = "00:00", to = "24:00", days, since, until, zone } = window;
  const here = localTime(zone, at);
  const overnight = to < from;
  const late = overnight && here.time < to;
  if (overnight ? here.time < from && !late : here.time < from || here.time >= to) return false;
  const day = late ? dayBefore(here.date) : here.date;
  if (days !== undefined && !days.includes(weekday(day))) return false;
  return (since === undefined || day >= since) && (until === undefined || day <= until);
}

/** `2026-11-21` and `09:05` as clocks of the zone show them. */
function localTime(zone: string, at: number): { readonly date: string; readonly time: string } {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
  return { date: `${part("year")}-${part("month")}-${part("day")}`, time: `${part("hour")}:${part("minute")}` };
}

const dayBefore = (date: string): string =>
  new Date(Date.parse(`${date}T00:00:00Z`) - DAY_MS).toISOString().slice(0, 10);
const weekday = (date: string): string => WEEK[new Date(`${date}T00:00:00Z`).getUTCDay()] ?? "";
