import { describe, expect, test } from "bun:test";
import type { ContainerState } from "../../../kit/containers/index.ts";
import { endFault } from "./ended.ts";

const DONE: ContainerState = {
  running: false,
  started: true,
  finished: true,
  exitCode: 0,
  outOfMemory: false,
  error: "",
};
const reasonOf = (state: Partial<ContainerState>, more: { said?: string; engineLost?: boolean } = {}) =>
  endFault({ state: { ...DONE, ...state }, said: "", memoryBytes: 2 ** 29, engineLost: false, ...more })?.message ??
  null;

describe("the end of a container is told in words", () => {
  const missing = 'exec: "x": executable file not found in $PATH';
  const noGpu = "unresolvable CDI devices nvidia.com/gpu=GPU-0";
  const ends: [string, string | null, string | null][] = [
    ["code 0", reasonOf({}), null],
    ["code 3", reasonOf({ exitCode: 3 }), "the container exited with 3"],
    ["code 128, which is no signal", reasonOf({ exitCode: 128 }), "the container exited with 128"],
    ["TERM", reasonOf({ exitCode: 143 }), "the container was ended by signal 15 (SIGTERM)"],
    [
      "KILL",
      reasonOf({ exitCode: 137 }),
      "the container was ended by signal 9 (SIGKILL), as when memory is used up (its limit is 512 MiB)",
    ],
    [
      "memory",
      reasonOf({ exitCode: 137, outOfMemory: true }),
      "out of memory: the container used up its 512 MiB (resources.memory)",
    ],
    [
      "an engine that was away",
      reasonOf({ exitCode: 137 }, { engineLost: true }),
      "the container engine died while the container ran (exit code 137)",
    ],
    ["an engine that was away, without harm", reasonOf({}, { engineLost: true }), null],
    [
      "a program that is not there",
      reasonOf({ started: false }, { said: missing }),
      "the container could not start: the image has no program x",
    ],
    [
      "a start that failed otherwise",
      reasonOf({ started: false, error: "no space left on device" }),
      "the container could not start: no space left on device",
    ],
    [
      "a GPU that is not there",
      reasonOf({ started: false, error: noGpu }),
      `the container could not start: the engine cannot give it its GPUs (${noGpu})`,
    ],
  ];
  for (const [what, reason, expected] of ends) test(what, () => expect(reason).toBe(expected));
});
