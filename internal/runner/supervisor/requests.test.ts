import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dropRequest, leaveRequest, type ManagementRequest, readRequest } from "./requests.ts";

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "runner-requests-"));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

test("what a person asks for while another wish is at work is kept until it is its turn", () => {
  const first: ManagementRequest = { what: "update", id: "one", version: "2.0.0" };
  const second: ManagementRequest = { what: "rollback", id: "two", reason: "it hangs" };
  leaveRequest(state, first);
  leaveRequest(state, second);
  dropRequest(state, first.id);
  expect(readRequest(state)).toEqual(second);
  dropRequest(state, second.id);
  expect(readRequest(state)).toBeNull();
});
