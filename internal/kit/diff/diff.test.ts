import { describe, expect, test } from "bun:test";
import { diffLines, diffValues, maskedPair, secretValues, yamlLines } from "./index.ts";

const shown = (before: string, after: string) =>
  diffLines(before.split(""), after.split("")).map(({ kind, text }) =>
    kind === "same" ? text : `${kind === "added" ? "+" : "-"}${text}`,
  );

describe("lines", () => {
  test.each([
    ["abc", "abc", "a b c"],
    ["abc", "axc", "a -b +x c"],
    ["abcabba", "cbabac", ""],
    ["ab", "xaby", "+x a b +y"],
    ["abcd", "ad", "a -b -c d"],
  ])("%s to %s is the shortest edit", (before, after, expected) => {
    const lines = shown(before, after);
    if (expected !== "") expect(lines.join(" ")).toBe(expected);
    // What is kept and removed is the one text, what is kept and added the other.
    expect(
      lines
        .filter((one) => !one.startsWith("+"))
        .map((one) => one.replace("-", ""))
        .join(""),
    ).toBe(before);
    expect(
      lines
        .filter((one) => !one.startsWith("-"))
        .map((one) => one.replace("+", ""))
        .join(""),
    ).toBe(after);
    if (before === "abcabba") expect(lines.filter((one) => one.length > 1)).toHaveLength(5);
  });

  test("any two texts can be rebuilt from their difference, also when one is empty or they share nothing", () => {
    let seed = 7;
    const random = (n: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % n;
    };
    for (let round = 0; round < 200; round++) {
      const text = () => Array.from({ length: random(30) }, () => "abcde"[random(5)] ?? "a");
      const [a, b] = [text(), text()];
      const lines = diffLines(a, b);
      expect(lines.filter(({ kind }) => kind !== "added").map(({ text }) => text)).toEqual(a);
      expect(lines.filter(({ kind }) => kind !== "removed").map(({ text }) => text)).toEqual(b);
    }
    const many = Array.from({ length: 5_000 }, (_, n) => `a${n}`);
    expect(
      diffLines(
        many,
        many.map((line) => `${line}x`),
      ),
    ).toHaveLength(10_000);
  });
});

describe("values", () => {
  test("each place that differs is named, in the order of paths", () => {
    const before = { b: [1, { c: 1 }], a: "x", "d.e": 1, same: { deep: [1] } };
    const after = { a: "y", b: [1, { c: 2 }, 3], "d.e": 2, same: { deep: [1] } };
    expect(diffValues(before, after)).toEqual([
      { path: "a", before: "x", after: "y" },
      { path: "b[1].c", before: 1, after: 2 },
      { path: "b[2]", before: undefined, after: 3 },
      { path: '["d.e"]', before: 1, after: 2 },
    ]);
  });

  test("the same value gives the same lines whatever the order of its keys", () => {
    const one = { spec: { b: 1, a: "yes" }, kind: "K", apiVersion: "v1", data: { f: "x\ny\n" } };
    const other = { data: { f: "x\ny\n" }, apiVersion: "v1", kind: "K", spec: { a: "yes", b: 1 } };
    expect(yamlLines(one)).toEqual(yamlLines(other));
    expect(yamlLines(one)).toEqual([
      "apiVersion: v1",
      "kind: K",
      "spec:",
      '  a: "yes"',
      "  b: 1",
      "data:",
      "  f: |",
      "    x",
      "    y",
    ]);
  });
});

describe("Secrets", () => {
  const copy = "kubectl.kubernetes.io/last-applied-configuration";
  const secret = (data: Record<string, string>) => ({
    kind: "Secret",
    metadata: { name: "s", annotations: { [copy]: "canary" } },
    data,
  });

  test("values are hidden, and whether they change stays visible", () => {
    const [before, after] = maskedPair(
      secret({ a: "canary1", b: "canary2" }),
      secret({ a: "canary1", b: "canary3", c: "canary4" }),
    );
    expect(JSON.stringify([before, after])).not.toContain("canary");
    expect(before?.data).toEqual({ a: "[redacted]", b: "[redacted] (before)" });
    expect(after?.data).toEqual({ a: "[redacted]", b: "[redacted] (after)", c: "[redacted]" });
    expect(JSON.stringify(maskedPair(null, secret({ a: "canary" })))).not.toContain("canary");
    const other = { kind: "ConfigMap", data: { a: "shown" } };
    expect(maskedPair(other, null)[0]).toBe(other);
  });

  test("every value is known for redaction, encoded and plain", () => {
    expect(secretValues({ kind: "Secret", data: { a: "aHVudGVyMg==" }, stringData: { b: "plain" } })).toEqual([
      "aHVudGVyMg==",
      "hunter2",
      "plain",
    ]);
    expect(secretValues({ kind: "ConfigMap", data: { a: "aHVudGVyMg==" } })).toEqual([]);
  });
});
