import { describe, expect, test } from "bun:test";
import { mergePatch, mergeThree } from "./merge-three.ts";

describe("what helm makes of a live object", () => {
  test("the chart wins, what it dropped goes, what others added stays", () => {
    const before = { spec: { replicas: 1, paused: true } };
    const target = { spec: { replicas: 2 } };
    const live = { spec: { replicas: 5, paused: true, minReadySeconds: 0 }, status: { ready: 1 } };
    expect(mergeThree(before, target, live)).toEqual({
      spec: { replicas: 2, minReadySeconds: 0 },
      status: { ready: 1 },
    });
  });

  test("items of known lists are matched by their key, with what the cluster filled in", () => {
    const before = {
      containers: [
        { name: "a", image: "1" },
        { name: "old", image: "1" },
      ],
    };
    const target = {
      containers: [
        { name: "a", image: "2" },
        { name: "new", image: "1" },
      ],
    };
    const live = {
      containers: [
        { name: "injected", image: "x" },
        { name: "a", image: "1", resources: {} },
        { name: "old", image: "1" },
      ],
    };
    expect(mergeThree(before, target, live)).toEqual({
      containers: [
        { name: "injected", image: "x" },
        { name: "a", image: "2", resources: {} },
        { name: "new", image: "1" },
      ],
    });
  });

  test("other lists are replaced, and null removes", () => {
    expect(mergeThree({ args: ["a"] }, { args: ["b"] }, { args: ["a", "live"] })).toEqual({ args: ["b"] });
    expect(mergeThree({}, { a: null, b: 1 }, { a: 1, c: 2 })).toEqual({ b: 1, c: 2 });
  });
});

test("a merge patch holds only what differs, and nothing for nothing", () => {
  expect(mergePatch({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { a: 1, b: { c: 2 }, e: [2] })).toEqual({
    b: { c: 2, d: null },
    e: [2],
  });
  expect(mergePatch({ a: [1] }, { a: [1] })).toBeUndefined();
});
