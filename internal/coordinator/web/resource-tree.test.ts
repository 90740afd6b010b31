import { describe, expect, test } from "bun:test";
import { stateJson } from "./api/state-json.ts";
import { attributesOf, MASK, masked, resourceTree, secretsOf } from "./resource-tree.ts";

const resource = (address: string, more: object = {}) => ({ address, values: {}, ...more });
const state = stateJson.parse({
  format_version: "1.0",
  values: {
    root_module: {
      resources: [resource("aws_vpc.main")],
      child_modules: [
        {
          address: "module.net",
          child_modules: [{ address: "module.net.module.dns", resources: [resource("module.net.module.dns.aws_x.a")] }],
        },
        { address: "module.db", resources: [resource("module.db.aws_db.main")] },
      ],
    },
  },
});

describe("the resources of a state", () => {
  test("are listed by module, modules without any left out", () => {
    expect(resourceTree(state).map(({ address, resources }) => [address, resources.length])).toEqual([
      ["", 1],
      ["module.net.module.dns", 1],
      ["module.db", 1],
    ]);
  });

  test("are found by a part of their address", () => {
    expect(resourceTree(state, " DB ").map(({ address }) => address)).toEqual(["module.db"]);
    expect(resourceTree(stateJson.parse({}))).toEqual([]);
  });

  test("show no value that terraform marks as sensitive, however deep it lies", () => {
    const value = { user: "root", password: "p1", tags: ["a", "b"], list: [{ key: "k1" }, { key: "k2" }] };
    const marks = { password: true, tags: [false, true], list: [{}, { key: true }] };
    expect(masked(value, marks)).toEqual({
      user: "root",
      password: MASK,
      tags: ["a", MASK],
      list: [{ key: "k1" }, { key: MASK }],
    });
    expect([masked("x", true), masked("x", {}), masked("x", undefined)]).toEqual([MASK, "x", "x"]);
  });

  test("hide a value whose mark has a form that is not known", () => {
    expect([masked("secret", { deep: true }), masked(["secret"], "yes"), masked({ a: 1 }, [true])]).toEqual([
      MASK,
      MASK,
      MASK,
    ]);
  });

  test("show a sensitive value nowhere, not even where terraform did not mark it", () => {
    const copied = stateJson.parse({
      values: {
        outputs: { key: { sensitive: true, value: { pem: "from-an-output" } }, plain: { value: "plain" } },
        root_module: {
          resources: [
            {
              address: "terraform_data.a",
              values: { id: "1", input: ["s3cret", "x"], output: ["s3cret", "x"], url: "https://u:s3cret@h", n: 1 },
              sensitive_values: { input: true },
            },
          ],
        },
      },
    });
    const secrets = secretsOf(copied);
    expect(secrets).toEqual(["s3cret", "from-an-output"]);
    const [resource] = resourceTree(copied)[0]?.resources ?? [];
    expect(Object.fromEntries(attributesOf(resource ?? { address: "" }, secrets).shown)).toEqual({
      id: "1",
      input: MASK,
      output: [MASK, "x"],
      url: MASK,
      n: 1,
    });
  });

  test("leave out attributes that are empty, and say how many", () => {
    const one = {
      address: "a.b",
      values: { id: "1", name: null, tags: {}, secret: "s" },
      sensitive_values: { secret: true },
    };
    expect(attributesOf(one)).toEqual({
      shown: [
        ["id", "1"],
        ["secret", MASK],
      ],
      empty: 2,
    });
    expect(attributesOf({ ...one, sensitive_values: true }).shown).toEqual([
      ["id", MASK],
      ["secret", MASK],
    ]);
  });
});
