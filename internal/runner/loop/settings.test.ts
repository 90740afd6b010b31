import { describe, expect, test } from "bun:test";
import { silentLog } from "../../kit/base/system-log.ts";
import type { LogBatch, LogRecord } from "../../kit/logs/types.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import { admitted, createSettings } from "./settings.ts";
import { manualClock } from "./test-bed.ts";

function bed(dialect: "native" | "nuon", answers: readonly Result<RunnerSettings>[] = []) {
  const clock = manualClock();
  const said: string[] = [];
  const going = new AbortController();
  const left = [...answers];
  let asked = 0;
  const settings = createSettings({
    controlPlane: {
      dialect,
      settings: async () => {
        asked += 1;
        return left.shift() ?? fail(new RunnerError("unreachable", "away"));
      },
    },
    version: "1.2.3",
    log: { ...silentLog, warn: (text, fields) => void said.push(`${text} ${fields?.wanted ?? fields?.reason}`) },
    clock,
    signal: going.signal,
  });
  return { clock, settings, said, going, asked: () => asked };
}

describe("settings", () => {
  test("of a Nuon server are read again once a minute; when it is away the last ones stay", async () => {
    const { clock, settings, said, going, asked } = bed("nuon", [ok({ logging_level: "error" })]);
    settings.take({ logging_level: "info" });
    const kept = settings.keep();
    await clock.advance(59_000);
    expect(asked()).toBe(0);
    await clock.advance(1_000);
    expect(settings.current()?.logging_level).toBe("error");
    await clock.advance(60_000);
    expect(asked()).toBe(2);
    expect(said).toEqual(["the settings could not be read again away"]);
    expect(settings.current()?.logging_level).toBe("error");
    going.abort();
    await kept;
  });

  test("of our coordinator are read when it says so: a wish that comes while they are read is not lost", async () => {
    const { settings, asked } = bed("native", [ok({ logging_level: "a" }), ok({ logging_level: "b" })]);
    await settings.keep();
    expect(asked()).toBe(0);
    await Promise.all([settings.reread(), settings.reread(), settings.reread()]);
    expect(asked()).toBe(2);
    expect(settings.current()?.logging_level).toBe("b");
  });

  test("that name another version are warned of once per version", () => {
    const { settings, said } = bed("native");
    for (const container_image_tag of ["1.2.3", "v1.2.3", "latest", "", "2.0.0", "2.0.0", "2.1.0", "2.0.0"])
      settings.take({ container_image_tag });
    expect(said.map((line) => line.split(" ").at(-1))).toEqual(["2.0.0", "2.1.0"]);
  });
});

describe("what of a job's output leaves the runner", () => {
  const record = (source: "tool" | "runner", severity: LogRecord["severity"], dropped?: number): LogRecord => ({
    time: 0n,
    severity,
    text: `${source} ${severity}`,
    source,
    partial: false,
    attributes: dropped === undefined ? {} : { [LOG_ATTRIBUTES.dropped]: dropped },
  });
  const batch: LogBatch = {
    from: 10,
    to: 90,
    records: [record("tool", "info"), record("runner", "info"), record("runner", "error"), record("runner", "info", 5)],
  };
  const texts = (settings: RunnerSettings | null) => {
    const out = admitted(batch, settings);
    expect([out.from, out.to]).toEqual([10, 90]);
    return out.records.map((one) => one.text);
  };

  test("is nothing when logging is switched off, and the position goes on", () => {
    expect(texts({ enable_logging: false })).toEqual([]);
    expect(texts({ enable_logging: true })).toHaveLength(4);
    expect(texts(null)).toHaveLength(4);
  });

  test("is of the runner's own lines only what reaches the level; tools and notices of gaps always pass", () => {
    expect(texts({ logging_level: "WARN" })).toEqual(["tool info", "runner error", "runner info"]);
    expect(texts({ logging_level: "info" })).toHaveLength(4);
    expect(texts({ logging_level: "unheard of" })).toHaveLength(4);
  });
});
