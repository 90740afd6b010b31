import { describe, expect, test } from "bun:test";
import { readStateFile } from "../../internal/coordinator/compile/terraform-state.ts";
import { compareStates } from "../../internal/coordinator/compile/terraform-state-diff.ts";
import { withSerial } from "../../internal/coordinator/store/transitions/workspaces-serial.ts";
import { planBase } from "../../internal/kit/terraform/plan-base.ts";
import { zip } from "../lib/zip.ts";
import { fuzz, type Random } from "./seeded.ts";

const KEYS = ["serial", "id", "tags", "value", "type", "password", '"', "\\", "{", "]", "ключ", "__proto__"];
const SECRET = "hunter2-of-the-state";

/** Any JSON value; `leaf` is what texts are made of. */
function json(random: Random, depth: number, leaf: string): unknown {
  switch (random.int(depth > 0 ? 7 : 4)) {
    case 0:
      return random.int(1_000) / 8;
    case 1:
      return random.pick([null, true, false]);
    case 2:
    case 3:
      return `${leaf} ${random.pick(KEYS)}`;
    case 4:
      return Array.from({ length: random.int(4) }, () => json(random, depth - 1, leaf));
    default:
      return map(random, depth - 1, leaf);
  }
}
const map = (random: Random, depth: number, leaf: string) =>
  Object.fromEntries(Array.from({ length: random.int(5) }, () => [random.pick(KEYS), json(random, depth, leaf)]));

describe("any state", () => {
  test("under another serial is the same document with that serial", () => {
    fuzz(500, (random) => {
      const document = { ...map(random, 4, "text"), serial: random.int(1_000) };
      const text = JSON.stringify(document, null, random.int(3));
      const changed = new TextDecoder().decode(withSerial(new TextEncoder().encode(text), 4_242));
      expect(JSON.parse(changed)).toEqual({ ...JSON.parse(text), serial: 4_242 });
    });
  });

  test("shows nothing of a value below a sensitive mark, whatever its shape", () => {
    fuzz(500, (random) => {
      const state = () => {
        const secret = json(random, 4, SECRET);
        const attributes = { id: random.int(9), open: json(random, 3, "open"), closed: secret };
        const sensitive_attributes = [[{ type: "get_attr", value: "closed" }]];
        const instances = [{ attributes, sensitive_attributes }];
        const resources = random.int(5) === 0 ? [] : [{ mode: "managed", type: "x", name: "y", instances }];
        const outputs = { closed: { value: secret, sensitive: true }, open: { value: json(random, 2, "open") } };
        const read = readStateFile(new TextEncoder().encode(JSON.stringify({ resources, outputs })), new Map());
        if (!read.ok) throw read.error;
        return read.value;
      };
      const shown = JSON.stringify(compareStates(state(), state()));
      expect(shown).not.toContain(SECRET);
    });
  });
});

test("a saved plan with damaged bytes says nothing or what it said, and never fails", () => {
  const whole = zip("tfstate", JSON.stringify({ version: 4, serial: 7, lineage: "one", resources: [] }));
  fuzz(2_000, (random) => {
    const damaged = whole.slice(0, random.int(2) === 0 ? whole.length : random.int(whole.length));
    for (let n = random.int(4); n >= 0 && damaged.length > 0; n--)
      damaged[random.int(damaged.length)] = random.int(256);
    const base = planBase(damaged);
    if (base !== null) expect([typeof base.serial, typeof base.lineage]).toEqual(["number", "string"]);
  });
});
