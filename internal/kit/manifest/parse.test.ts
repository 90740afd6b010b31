import { describe, expect, test } from "bun:test";
import { MANIFEST_LIMIT, parseManifest } from "./parse.ts";

const read = (text: string) => {
  const parsed = parseManifest(text, "m");
  if (!parsed.ok) throw parsed.error;
  return parsed.value;
};
const reason = (text: string) => {
  const parsed = parseManifest(text, "m");
  return parsed.ok ? "" : parsed.error.message;
};
const object = (rest = "") => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\n${rest}`;

describe("a manifest is read as kubectl reads it", () => {
  /** What kubectl 1.32 prints with `create --dry-run=client --validate=false -o json`. */
  const KUBECTL: readonly (readonly [string, unknown])[] = [
    ["yes", true],
    ["No", false],
    ["on", true],
    ["y", true],
    ["0644", 420],
    ["0o644", 420],
    ["-0644", -420],
    ["0755_1", 3945],
    ["1_000", 1000],
    ["2001-01-01", "2001-01-01"],
    ["2001-01-01T10:00:00Z", "2001-01-01T10:00:00Z"],
    ["1:30", "1:30"],
    ["190:20:30", "190:20:30"],
    ["0x1f", 31],
    ["0b11", 3],
    ["12e03", 12000],
    [".5", 0.5],
    ["08", 8],
    ["+1", 1],
    ["1.0", 1],
    ["~", null],
    ["!!binary aGk=", "hi"],
    ["!foo bar", "bar"],
    ["'yes'", "yes"],
  ];
  test.each(KUBECTL)("%s", (text, value) => {
    expect(read(object(`x: ${text}\n`))[0]?.body.x).toEqual(value);
  });

  test("empty and comment-only documents are skipped, lists are taken apart, the order is kept", () => {
    const inner = (name: string) => `{ apiVersion: v1, kind: ConfigMap, metadata: { name: ${name}, namespace: ns } }`;
    const text = `# head\n---\n${inner("a")}\n---\n# nothing\n---\n---\napiVersion: v1\nkind: List\nitems:\n- ${inner("b")}\n- ${inner("c")}\n---\n`;
    expect(read(text).map(({ name, namespace }) => [namespace, name])).toEqual([
      ["ns", "a"],
      ["ns", "b"],
      ["ns", "c"],
    ]);
    expect(read("")).toEqual([]);
    expect(read("---\n# only a comment\n")).toEqual([]);
  });

  test("anchors, merges and JSON work", () => {
    expect(read(object("base: &b { p: 1 }\ndata: { <<: *b, q: 2 }\n"))[0]?.body.data).toEqual({ p: 1, q: 2 });
    expect(read(JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name: "p" } }))[0]?.kind).toBe("Pod");
  });
});

describe("a manifest that cannot be used is refused with the document and without its values", () => {
  test.each([
    [`${object()}---\n${object("data:\n\tx: canary\n")}`, "document 2: not YAML (line 9)"],
    [object("data: { a: canary, a: canary2 }\n"), "Map keys must be unique"],
    ["apiVersion: v1\nmetadata: { name: canary }\n", "document 1: kind is missing"],
    ["apiVersion: v1\nkind: Pod\nmetadata: { name: 5 }\n", "metadata.name"],
    ["apiVersion: v1\nkind: Pod\n", "metadata"],
    ["just canary\n", "no Kubernetes object"],
    ["- 1\n", "no Kubernetes object"],
    [object("n: 9007199254740993\n"), "more than 53 bits"],
    [object("n: .inf\n"), "no JSON numbers"],
    [object("x: &x [*x]\n"), "cannot be used"],
    [`apiVersion: v1\nkind: List\nitems: [canary]\n`, "document 1, item 1"],
    ["a: {{ .Values.canary }}\n", "no Kubernetes object"],
  ])("case %#", (text, part) => {
    expect(reason(text)).toContain(part);
    expect(reason(text)).not.toContain("canary");
  });

  test("a bomb of aliases and a manifest without an end are refused", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefgh"
      .split("")
      .map((key, at) => `${key}: &${key} [${Array(9).fill(`*${"abcdefg"[at]}`).join(",")}]`)
      .join("\n")}\n`;
    expect(reason(object(bomb))).toContain("Excessive alias count");
    expect(reason(" ".repeat(MANIFEST_LIMIT + 1))).toContain("at most");
  });
});
