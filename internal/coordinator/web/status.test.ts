import { describe, expect, test } from "bun:test";
import { CHANGE_STATUSES, hasEnded, isTerminal, JOB_STATUSES, WAIT_REASONS } from "../../protocol/enums.ts";
import { FILTERS, jobLook, reasonWords } from "./status.ts";

const ALL = [...new Set([...JOB_STATUSES, ...CHANGE_STATUSES])];

describe("statuses on the page", () => {
  test("every status of a job or change has a word of its own", () => {
    const labels = ALL.map((status) => jobLook(status).label);
    expect(new Set(labels).size).toBe(ALL.length);
    expect(labels.every((label) => label !== "")).toBe(true);
  });

  test("every status is found under exactly one of Active, Finished, Failed and Cancelled", () => {
    for (const status of ALL) {
      const groups = FILTERS.filter((filter) => filter.id !== "" && !filter.hidden);
      const found = groups.filter((filter) => filter.statuses.some((one) => one === status));
      expect([status, found.length]).toEqual([status, 1]);
    }
  });

  test("what the protocol calls terminal has ended here too", () => {
    for (const status of JOB_STATUSES) expect([status, hasEnded(status)]).toEqual([status, isTerminal(status)]);
  });

  test("every reason for waiting is a sentence, and other reasons are shown as they are", () => {
    for (const reason of WAIT_REASONS) expect(reasonWords(reason)).toMatch(/^[A-Z].*\.$/);
    expect(reasonWords("exit code 1")).toBe("exit code 1");
  });
});
