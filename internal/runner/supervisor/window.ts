import { inWindow, zoneFault } from "../../kit/policy/windows.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const FORM =
  /^(?:([a-z]{3}(?:[-,][a-z]{3})*) +)?((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)(?: +(\S+))?$/i;

/** Whether updates may begin at this moment (ms since the epoch). */
export type MaintenanceWindow = (at: number) => boolean;

/**
 * `Mon-Fri 02:00-04:00 UTC`, several with `;` between them; without days every day, without a zone UTC. One that ends
 * before it begins goes on into the next day. Error `usage`.
 */
export function parseWindow(text: string): Result<MaintenanceWindow> {
  const windows: Parameters<typeof inWindow>[0][] = [];
  for (const part of text.split(";").map((one) => one.trim())) {
    const [, days, from, to, zone = "UTC"] = FORM.exec(part) ?? [];
    const named = days === undefined ? [...DAYS] : daysOf(days.toLowerCase());
    if (from === undefined || to === undefined || named === null) return refuse(part, "");
    const fault = zoneFault(zone);
    if (fault !== null) return refuse(part, `: ${fault}`);
    windows.push({ days: named, from, to, zone });
  }
  return ok((at) => windows.some((window) => inWindow(window, at)));
}

/** `mon-fri,sun` → days; a range may go over the end of the week. null: not days. */
function daysOf(text: string): string[] | null {
  const found: string[] = [];
  for (const part of text.split(",")) {
    const [first = -1, last = first] = part.split("-").map((day) => (DAYS as readonly string[]).indexOf(day));
    if (first < 0 || last < 0 || part.split("-").length > 2) return null;
    for (let at = first; ; at = (at + 1) % DAYS.length) {
      found.push(DAYS[at] ?? "");
      if (at === last) break;
    }
  }
  return found;
}

function refuse(part: string, why: string): Result<never> {
  return fail(
    new RunnerError("usage", `maintenance-window: ${JSON.stringify(part)} is no window${why}`, {
      remedy: "Write one such as `Mon-Fri 02:00-04:00 Europe/Berlin`; several with ; between them.",
    }),
  );
}
