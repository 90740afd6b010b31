import { expect, test } from "bun:test";
import { quickClock } from "../../../test/lib/quick-clock.ts";
import { createSystemLog } from "../../kit/base/system-log.ts";
import { createRunnerToken } from "./runner-token.ts";

function bed(file: string | null = "one") {
  const lines: string[] = [];
  const at = { file };
  const clock = quickClock(4_000);
  const log = createSystemLog({ format: "text", level: "info", write: (line) => lines.push(line) });
  return { at, lines, clock, token: createRunnerToken({ token: "one", readToken: () => at.file, clock, log }) };
}

test("a refused token is replaced by what its file holds now, and everybody is told", async () => {
  const { at, token } = bed();
  const told: string[] = [];
  token.onRenewed((secret) => told.push(secret));
  at.file = "two";
  expect(await token.refused("Bearer one", 403, undefined)).toBe(true);
  expect(token.current()).toBe("Bearer two");
  expect(token.known()).toEqual(["two", "one"]);
  expect(told).toEqual(["two"]);
});

test("a request that was refused with the old token while another renewed it is made again", async () => {
  const { at, token } = bed();
  at.file = "two";
  await token.refused("Bearer one", 401, undefined);
  at.file = null;
  expect(await token.refused("Bearer one", 401, undefined)).toBe(true);
});

test("a token that never worked is not waited for", async () => {
  const { clock, token } = bed();
  expect(await token.refused("Bearer one", 401, undefined)).toBe(false);
  expect(clock.slept).toEqual([]);
});

test("one that worked is waited for two minutes, once, by all requests together", async () => {
  const { clock, token, lines } = bed();
  token.accepted("Bearer one");
  const both = [token.refused("Bearer one", 401, undefined), token.refused("Bearer one", 401, undefined)];
  expect(await Promise.all(both)).toEqual([false, false]);
  expect(lines.filter((line) => line.includes("the token is refused"))).toHaveLength(1);
  const slept = clock.slept.length;
  expect(await token.refused("Bearer one", 401, undefined)).toBe(false);
  expect(clock.slept).toHaveLength(slept);
});

test("a file that is half written is read again until it holds a token", async () => {
  const { at, token } = bed(null);
  token.accepted("Bearer one");
  const renewed = token.refused("Bearer one", 401, undefined);
  at.file = "two";
  expect(await renewed).toBe(true);
});

test("a request that waits for the file goes on when another one read the new token first", async () => {
  const { at, token } = bed();
  token.accepted("Bearer one");
  const waits = token.refused("Bearer one", 401, undefined);
  at.file = "two";
  expect(await token.refused("Bearer one", 401, undefined)).toBe(true);
  expect(await waits).toBe(true);
});

test("403 is about what was asked for, and a request that is given up does not wait", async () => {
  const { token } = bed();
  token.accepted("Bearer one");
  expect(await token.refused("Bearer one", 403, undefined)).toBe(false);
  const stop = new AbortController();
  const refused = token.refused("Bearer one", 401, stop.signal);
  stop.abort();
  expect(await refused).toBe(false);
});
