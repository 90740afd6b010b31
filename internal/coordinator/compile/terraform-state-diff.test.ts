import { describe, expect, test } from "bun:test";
import { readStateFile, shownMarks } from "./terraform-state.ts";
import { compareStates } from "./terraform-state-diff.ts";

const step = (value: string) => ({ type: "get_attr", value });
const instance = (attributes: object, more: object = {}) => ({ schema_version: 0, attributes, ...more });
const resource = (name: string, instances: readonly object[], more: object = {}) => ({
  mode: "managed",
  type: "net_rule",
  name,
  provider: 'provider["x"]',
  instances,
  ...more,
});

function read(state: object, shown: object | null = null) {
  const bytes = new TextEncoder().encode(JSON.stringify({ version: 4, serial: 1, lineage: "l", ...state }));
  const found = readStateFile(bytes, shownMarks(shown === null ? null : JSON.stringify(shown)));
  if (!found.ok) throw found.error;
  return found.value;
}

const BEFORE = read({
  resources: [
    resource("kept", [instance({ id: "1", port: 80, tags: { env: "test", site: "eu" }, secret_key: "first-secret" })]),
    resource("gone", [instance({ id: "2" }, { index_key: "a" })]),
    resource("db", [
      instance(
        { id: "3", login: "db-login-1", copy: "db-login-1", nested: { token_file: null } },
        {
          sensitive_attributes: [[step("login")]],
        },
      ),
    ]),
  ],
  outputs: {
    address: { value: "10.0.0.1", type: "string" },
    password: { value: "p-1", type: "string", sensitive: true },
  },
});
const AFTER = read({
  resources: [
    resource("kept", [
      instance({ id: "1", port: 8080, tags: { env: "prod", site: "eu" }, secret_key: "second-secret" }),
    ]),
    resource("made", [instance({ id: "4", note: "n", empty: null })], { module: "module.inner" }),
    resource("db", [
      instance(
        { id: "3", login: "db-login-2", copy: "db-login-2", nested: { token_file: null } },
        {
          sensitive_attributes: [[step("login")]],
        },
      ),
    ]),
  ],
  outputs: {
    address: { value: "10.0.0.2", type: "string" },
    password: { value: "p-2", type: "string", sensitive: true },
  },
});

describe("two versions of a state", () => {
  test("differ by resource and attribute, by path and with both values", () => {
    const { summary, resources, outputs } = compareStates(BEFORE, AFTER);
    expect(summary).toEqual({ added: 1, removed: 1, changed: 2, outputs: 2 });
    expect(resources.map(({ address, action }) => `${action} ${address}`)).toEqual([
      "added module.inner.net_rule.made",
      "changed net_rule.db",
      'removed net_rule.gone["a"]',
      "changed net_rule.kept",
    ]);
    expect(resources[0]?.attributes).toEqual([
      { path: "id", action: "added", after: "4", sensitive: false },
      { path: "note", action: "added", after: "n", sensitive: false },
    ]);
    expect(resources[3]?.attributes).toEqual([
      { path: "port", action: "changed", before: 80, after: 8080, sensitive: false },
      { path: "secret_key", action: "changed", before: "[redacted]", after: "[redacted]", sensitive: true },
      { path: "tags.env", action: "changed", before: "test", after: "prod", sensitive: false },
    ]);
    expect(outputs).toEqual([
      { name: "address", action: "changed", before: "10.0.0.1", after: "10.0.0.2", sensitive: false },
      { name: "password", action: "changed", before: "[redacted]", after: "[redacted]", sensitive: true },
    ]);
  });

  test("show no sensitive value anywhere, not in an unmarked copy of it either", () => {
    const compared = JSON.stringify(compareStates(BEFORE, AFTER));
    for (const secret of ["first-secret", "second-secret", "db-login", "p-1", "p-2"]) {
      expect(compared).not.toContain(secret);
    }
  });

  test("read as terraform's own diffs", () => {
    expect(compareStates(BEFORE, AFTER).lines.join("\n")).toBe(`  + module.inner.net_rule.made
      + id   = "4"
      + note = "n"

  ~ net_rule.db
      ~ copy  = (sensitive) -> (sensitive)
      ~ login = (sensitive) -> (sensitive)
        # (2 unchanged attributes hidden)

  - net_rule.gone["a"]
      - id = "2"

  ~ net_rule.kept
      ~ port       = 80 -> 8080
      ~ secret_key = (sensitive) -> (sensitive)
      ~ tags       = {
          ~ env = "test" -> "prod"
            # (1 unchanged attribute hidden)
        }
        # (1 unchanged attribute hidden)

Outputs:
  ~ address = "10.0.0.1" -> "10.0.0.2"
  ~ password = (sensitive) -> (sensitive)
`);
  });

  test("hide what the providers' schemas call sensitive, whole lists where one member is marked", () => {
    const address = "net_rule.kept";
    const marks = { result: true, users: [{}, { name: true }], plain: {} };
    const root_module = { child_modules: [{ resources: [{ address, sensitive_values: marks }] }] };
    const shown = { values: { root_module } };
    const of = (n: number) => ({
      resources: [resource("kept", [instance({ result: `result-${n}`, plain: n, users: [{ name: `user-${n}` }] })])],
    });
    const [kept] = compareStates(read(of(1), shown), read(of(2), shown)).resources;
    expect(kept?.attributes).toEqual([
      { path: "plain", action: "changed", before: 1, after: 2, sensitive: false },
      { path: "result", action: "changed", before: "[redacted]", after: "[redacted]", sensitive: true },
      { path: "users", action: "changed", before: "[redacted]", after: "[redacted]", sensitive: true },
    ]);
  });

  test("unwrap values without a fixed type, and hide what is marked inside them", () => {
    const of = (n: number) => {
      const wrapped = {
        value: { login: `login-${n}`, port: n },
        type: ["object", { login: "string", port: "number" }],
      };
      const lookalike = { value: `hidden-${n}`, type: "string" };
      const marks = {
        sensitive_attributes: [
          [step("input"), step("login")],
          [step("pair"), step("value")],
        ],
      };
      return read({ resources: [resource("dyn", [instance({ input: wrapped, pair: lookalike }, marks)])] });
    };
    const compared = compareStates(of(1), of(2));
    expect(compared.resources[0]?.attributes).toEqual([
      { path: "input.login", action: "changed", before: "[redacted]", after: "[redacted]", sensitive: true },
      { path: "input.port", action: "changed", before: 1, after: 2, sensitive: false },
      { path: "pair", action: "changed", before: "[redacted]", after: "[redacted]", sensitive: true },
    ]);
    expect(JSON.stringify(compared)).not.toMatch(/login-|hidden-/);
  });

  test("that are the same have no difference", () => {
    expect(compareStates(AFTER, AFTER)).toMatchObject({ resources: [], outputs: [], lines: [] });
  });

  test("that cannot be read are refused without a word of their content", () => {
    const broken = readStateFile(new TextEncoder().encode('{"resources":"hunter2"}'), new Map());
    expect(broken.ok ? "" : broken.error.message).toBe("this version is not a state that can be read (format 4)");
    const deep = `{"resources":[],"x":${"[".repeat(5_000)}${"]".repeat(5_000)}}`;
    expect(readStateFile(new TextEncoder().encode(deep), new Map()).ok).toBe(false);
  });
});
