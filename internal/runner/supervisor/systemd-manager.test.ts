import { expect, test } from "bun:test";
import type { Presence } from "./presence.ts";
import { createSystemdManager, type SystemctlEnd } from "./systemd-manager.ts";

const SHOWN =
  "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\nNRestarts=0\nStatusText=connected, version 1\n";
const said = (stdout: string): SystemctlEnd => ({ code: 0, stdout, stderr: "" });
const away: SystemctlEnd = { code: 1, stdout: "", stderr: "Failed to connect to bus: Connection refused" };

/** systemctl answers these in turn, the last one for ever; the clock counts what is slept. */
function manager(answers: readonly SystemctlEnd[]) {
  let [asked, slept] = [0, 0];
  const clock = {
    now: () => slept,
    monotonic: () => slept,
    sleep: async (ms: number) => {
      slept += ms;
    },
  };
  const run = async () => answers[Math.min(asked++, answers.length - 1)] ?? away;
  return { state: createSystemdManager("runner.service", clock, { run }).state, slept: () => slept };
}

test("a systemd that answers nothing for a moment is asked again: the unit is not taken for dead", async () => {
  const { state } = manager([away, away, said(SHOWN)]);
  expect(await state()).toMatchObject({ pid: 7, ready: true, down: false });
});

test("one that goes on answering nothing is told after ten seconds", async () => {
  const { state, slept } = manager([away]);
  expect(await state()).toMatchObject({ pid: null, ready: false, down: true, text: "unknown ()" });
  expect(slept()).toBeLessThanOrEqual(10_000);
});

test("a container that goes on while the runner in it ends again and again: those ends count, until it is started anew", async () => {
  let pid = 1;
  const presence = (): Presence => ({
    pid,
    startTime: "1",
    bootId: "b",
    version: "1",
    ready: false,
    draining: false,
  });
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
  const run = async () => said(SHOWN);
  const { state, start } = createSystemdManager("runner-image.service", clock, { run, presence });
  for (; pid <= 4; pid++) expect(await state()).toMatchObject({ ends: pid - 1, ready: false });
  await start();
  expect(await state()).toMatchObject({ ends: 0 });
});
