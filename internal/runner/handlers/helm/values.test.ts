import { describe, expect, test } from "bun:test";
import { reasonOf } from "../../../protocol/errors.ts";
import { setValue, type ValueTree } from "./set-value.ts";
import { typed } from "./values.ts";

const auto = (value: string) => typed({ value, type: "auto", literal: false });
const text = (value: string) => typed({ value, type: "string", literal: false });

describe("a single value of a plan of Nuon's is read as `helm --set` reads it", () => {
  test.each([
    ["true", true],
    ["null", null],
    ["0", 0],
    ["-12", -12],
    ["0123", "0123"],
    ["1.5", "1.5"],
    ["9007199254740993", "9007199254740993"],
    ["{a,1,true}", ["a", 1, true]],
    ["{}", []],
    ["a\\,b", "a,b"],
    ["a,b", "a,b"],
  ])("%s", (value, read) => expect(auto(value)).toEqual(read as never));

  test("as text with type string", () => {
    expect([text("true"), text("12"), text("{a,1}"), text("a\\,b")]).toEqual([
      "true",
      "12",
      ["a", "1"],
      "a,b",
    ] as never);
  });
});

test("a single value of a job file is meant as it stands", () => {
  for (const value of ["{a,b}", "a\\,b", "x=y,z"]) {
    expect(typed({ value, type: "string", literal: true })).toBe(value);
  }
  expect(typed({ value: "12", type: "auto", literal: true })).toBe(12);
});

describe("the path of a single value", () => {
  const set = (names: Readonly<Record<string, unknown>>, ...below: unknown[]) => {
    const tree: ValueTree = {};
    for (const [name, value] of Object.entries(names)) setValue(tree, name, value, () => below);
    return tree;
  };

  test("makes maps and lists on its way", () => {
    expect(set({ "a.b": 1, "a.c[1].d": 2, "labels.x\\.y/z": 3 })).toEqual({
      a: { b: 1, c: [null, { d: 2 }] },
      labels: { "x.y/z": 3 },
    });
  });

  test("keeps the other items of a list that values files have: files replace lists as a whole", () => {
    const below = [{ hosts: [{ name: "old" }] }, { hosts: [{ name: "a", port: 1 }, { name: "b" }] }];
    expect(set({ "hosts[0].name": "z" }, ...below)).toEqual({ hosts: [{ name: "z", port: 1 }, { name: "b" }] });
    expect(below[1]).toEqual({ hosts: [{ name: "a", port: 1 }, { name: "b" }] });
  });

  test("never reaches what every object has", () => {
    const tree = set({ "__proto__.polluted": true });
    expect(Object.hasOwn(tree, "__proto__")).toBe(true);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each(["", ".a", "a.", "a..b", "[0]", "a[x]", "a[99999999]"])("%p is refused", (name) => {
    let said = "";
    try {
      set({ [name]: 1 });
    } catch (error) {
      said = reasonOf(error);
    }
    expect(said).toContain("is no path");
  });
});
