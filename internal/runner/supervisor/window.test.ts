import { describe, expect, test } from "bun:test";
import { parseWindow } from "./window.ts";

const at = (text: string) => Date.parse(text);
function inside(window: string, moment: string): boolean {
  const parsed = parseWindow(window);
  if (!parsed.ok) throw parsed.error;
  return parsed.value(at(moment));
}

describe("a maintenance window", () => {
  // 2026-11-21 is a Saturday.
  const ROWS = [
    ["Mon-Fri 02:00-04:00 UTC", "2026-11-20T02:00:00Z", true],
    ["Mon-Fri 02:00-04:00 UTC", "2026-11-20T04:00:00Z", false],
    ["Mon-Fri 02:00-04:00 UTC", "2026-11-21T03:00:00Z", false],
    ["sat,sun 00:00-24:00", "2026-11-21T23:59:00Z", true],
    ["Fri-Mon 10:00-11:00", "2026-11-22T10:30:00Z", true],
    ["Fri-Mon 10:00-11:00", "2026-11-24T10:30:00Z", false],
    ["22:00-02:00", "2026-11-21T01:00:00Z", true],
    ["Fri 22:00-02:00", "2026-11-21T01:00:00Z", true],
    ["Sat 22:00-02:00", "2026-11-21T01:00:00Z", false],
    ["02:00-04:00 Europe/Berlin", "2026-11-21T01:30:00Z", true],
    ["02:00-04:00 Europe/Berlin", "2026-11-21T03:30:00Z", false],
    ["Mon 01:00-02:00; Sat 01:00-02:00", "2026-11-21T01:00:00Z", true],
  ] as const;
  for (const [window, moment, open] of ROWS) {
    test(`${window} is ${open ? "open" : "shut"} at ${moment}`, () => expect(inside(window, moment)).toBe(open));
  }

  for (const bad of [
    "",
    "always",
    "Mon-Fri",
    "Mon-Foo 02:00-04:00",
    "02:00-25:00",
    "2:00-4:00",
    "02:00-04:00 Mars/Base",
  ]) {
    test(`${JSON.stringify(bad)} is refused with an example`, () => {
      const parsed = parseWindow(bad);
      expect(parsed.ok ? "" : parsed.error.message).toContain("is no window");
      expect(parsed.ok ? "" : parsed.error.remedy).toContain("Mon-Fri 02:00-04:00 Europe/Berlin");
    });
  }
});
