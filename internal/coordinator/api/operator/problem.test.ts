import { expect, test } from "bun:test";
import { answerError } from "./problem.ts";

test("a client that leaves in the middle of its body is not told as a defect of the coordinator", async () => {
  const reports: string[] = [];
  const left = new DOMException("The connection was closed.", "AbortError");
  const answer = answerError(left, (text) => reports.push(text));
  expect(answer.status).toBe(400);
  expect(reports).toEqual([]);
});

test("a defect is told to the log with its place, and to the client without it", async () => {
  const reports: string[] = [];
  const answer = answerError(new Error("a secret of the inside"), (text) => reports.push(text));
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("secret");
  expect(reports.join("")).toContain("a secret of the inside");
});
