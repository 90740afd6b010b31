import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { explainIssues, suggest, unknownWord } from "./suggest.ts";

describe("a near miss", () => {
  test("is found through a typo, a swap, a missing letter and wrong case", () => {
    const keys = ["command", "workspace", "timeout"];
    expect(suggest("comand", keys)).toBe("command");
    expect(suggest("wrokspace", keys)).toBe("workspace");
    expect(suggest("Timeout", keys)).toBe("timeout");
  });

  test("is not invented where nothing is near", () => {
    expect(suggest("xyz", ["command", "env"])).toBeNull();
    expect(suggest("a", [])).toBeNull();
  });

  test("comes with the list of what is allowed", () => {
    expect(unknownWord("key", "nmae", ["name", "run"])).toBe(
      'unknown key "nmae"; allowed: name, run; did you mean "name"?',
    );
  });
});

describe("a refused document", () => {
  const schema = z.strictObject({
    name: z.string(),
    kind: z.enum(["plan", "apply"]).optional(),
    list: z.array(z.strictObject({ size: z.number().int().min(1).max(9) })).optional(),
    source: z.union([z.strictObject({ path: z.string() }), z.strictObject({ url: z.string() })]).optional(),
  });
  const explain = (input: unknown) => {
    const parsed = schema.safeParse(input);
    return parsed.success ? [] : explainIssues(parsed.error, input, "f.yaml", schema);
  };

  test("names source, key, what was found and what is allowed", () => {
    expect(explain({ name: 5 })).toEqual(["f.yaml: name: found 5; expected text"]);
    expect(explain({})).toEqual(["f.yaml: name is missing; expected text"]);
    expect(explain({ name: "a", list: [{ size: 1 }, { size: 12 }] })).toEqual([
      "f.yaml: list[1].size: found 12; expected at most 9",
    ]);
    expect(explain({ name: "a", kind: "aply" })).toEqual([
      'f.yaml: kind: unknown value "aply"; allowed: plan, apply; did you mean "apply"?',
    ]);
    expect(explain("text")).toEqual(['f.yaml: the document: found "text"; expected a map of keys']);
  });

  test("lists the keys of every alternative where several forms are allowed", () => {
    expect(explain({ name: "a", source: { pth: "x" } })).toEqual([
      'f.yaml: source: unknown key "pth"; allowed: path, url; did you mean "path"?',
    ]);
    expect(explain({ name: "a", source: { url: 1 } })).toEqual(["f.yaml: source.url: found 1; expected text"]);
  });

  test("never prints a long value or the inside of a map", () => {
    const [line] = explain({ name: "a", list: "s".repeat(500) });
    expect(line?.length).toBeLessThan(150);
    expect(explain({ name: { token: "hunter2" } }).join()).not.toContain("hunter2");
  });
});
