import { expect, test } from "bun:test";
import { judgeHealth } from "./health-judge.ts";
import type { ServiceState } from "./service-manager.ts";

/** Each state is seen for so many seconds; the last one for ever. */
async function judge(
  states: readonly (readonly [seconds: number, state: Partial<ServiceState>, reachable?: boolean])[],
) {
  let now = 0;
  const at = () => {
    let until = 0;
    for (const [seconds, state, reachable = true] of states) {
      until += seconds * 1000;
      if (now < until) return { state, reachable };
    }
    const [, state, reachable = true] = states.at(-1) ?? [0, {}];
    return { state, reachable };
  };
  const sleep = async (ms: number) => {
    now += ms;
  };
  const fault = await judgeHealth({
    options: { deadlineMs: 60_000, settleMs: 10_000, when: "drain" },
    reachable: () => at().reachable,
    clock: { now: () => now, monotonic: () => now, sleep },
    manager: {
      kind: "process",
      state: async () => ({ pid: 7, ready: false, ends: 0, down: false, failed: false, text: "said", ...at().state }),
      start: () => Promise.reject(new Error("not asked")),
      stop: () => Promise.reject(new Error("not asked")),
      close: () => {},
    },
  });
  return { fault, seconds: Math.round(now / 1000) };
}

const READY = { ready: true };

test("a version is healthy when it was ready, without a break, for the time to settle", async () => {
  expect(
    await judge([
      [5, {}],
      [1, READY],
    ]),
  ).toEqual({ fault: null, seconds: 15 });
  const died = await judge([
    [5, {}],
    [3, READY],
    [1, { pid: 8, ready: true }],
  ]);
  expect(died.fault).toBe("it was ready, but did not stay so (said)");
});

test("a version that is never ready is given up at the deadline, one that ends again and again before it", async () => {
  expect(await judge([[1, {}]])).toEqual({ fault: "it was not ready within 60 s (said)", seconds: 60 });
  expect(
    (
      await judge([
        [2, { ends: 1 }],
        [1, { pid: null, ends: 3 }],
      ])
    ).fault,
  ).toBe("it ended 3 times before it was ready (said)");
  expect((await judge([[1, { pid: null, down: true }]])).fault).toBe("it does not run (said)");
});

test("while the control plane answers nobody, no version is judged by its silence", async () => {
  const outage = await judge([
    [30, {}],
    [3600, {}, false],
    [20, {}],
    [1, READY],
  ]);
  expect(outage).toEqual({ fault: null, seconds: 3660 });
});

test("a service manager that has only just been told to start is given a moment", async () => {
  expect(
    (
      await judge([
        [2, { pid: null, down: true }],
        [3, {}],
        [1, READY],
      ])
    ).fault,
  ).toBeNull();
});
