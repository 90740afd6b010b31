import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { formatValue } from "./format-value.ts";
import { configSchema } from "./json-schema.ts";
import { parseValue } from "./parse-value.ts";
import type { Setting } from "./setting.ts";
import { SETTING_NAMES, SETTINGS } from "./settings.ts";

/** One good value of each type, as a person writes it. */
const SAMPLES: Readonly<Record<Setting["type"], readonly (string | number | boolean | object)[]>> = {
  string: ["a text"],
  bool: [true, false],
  path: ["/etc/runner/x"],
  url: ["https://control.example.com/base"],
  place: ["https://mirror.example.com/tools", "/mnt/release/tools"],
  address: ["127.0.0.1:0", "[::1]:8080"],
  slots: ["deploy=2,all=1", { deploy: 2 }, ["deploy=2", "all=3"]],
  labels: ["site=eu-1", { site: "eu-1" }],
  int: [7],
  duration: ["1s", "1500ms", "1m30s"],
  bytes: ["1MiB", "1500MB", "3GiB"],
  enum: [],
};
const schema = z.fromJSONSchema(configSchema() as Parameters<typeof z.fromJSONSchema>[0]);

describe("the config file", () => {
  for (const name of SETTING_NAMES) {
    const setting: Setting = SETTINGS[name];
    const samples = setting.type === "enum" ? setting.values : SAMPLES[setting.type];
    test(`${setting.flag}: a value that \`runner config\` shows gives the same value when it is read again`, () => {
      const good = samples.filter((sample) => parseValue(setting, sample).ok);
      expect(good.length).toBeGreaterThan(0);
      for (const sample of good) {
        const parsed = parseValue(setting, sample);
        if (parsed.ok) expect(parseValue(setting, formatValue(setting, parsed.value))).toEqual(parsed);
      }
    });
    test(`${setting.flag}: what the loader takes is valid by the JSON Schema`, () => {
      for (const sample of samples.filter((one) => parseValue(setting, one).ok)) {
        expect(schema.safeParse({ [setting.flag]: sample }).success).toBe(true);
      }
    });
  }

  test("an unknown key and a value of a wrong kind are not valid by the JSON Schema", () => {
    for (const wrong of [
      { "min-fre": "1MiB" },
      { "min-free": "lots" },
      { mode: "instal" },
      { concurrency: { deploi: 2 } },
    ]) {
      expect(schema.safeParse(wrong).success).toBe(false);
    }
  });
});
