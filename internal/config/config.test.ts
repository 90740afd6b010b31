import { describe, expect, test } from "bun:test";
import { RunnerError } from "../protocol/errors.ts";
import { COMMAND_NAMES, COMMANDS, type CommandName } from "./commands.ts";
import { commandHelp, overview, settingsTable } from "./help.ts";
import { loadConfig } from "./load.ts";
import { parseValue } from "./parse-value.ts";
import { readArgs } from "./read-args.ts";
import type { Setting } from "./setting.ts";
import { SETTING_NAMES, SETTINGS, settingsOf } from "./settings.ts";

function load(command: CommandName, argv: string[], env: Record<string, string> = {}, file?: string) {
  return loadConfig(command, readArgs(command, argv), {
    env,
    cwd: "/srv",
    readText: () => file ?? "",
    parseYaml: (text) => Bun.YAML.parse(text),
  });
}

function refusal(run: () => unknown): RunnerError {
  try {
    run();
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("every setting is complete", () => {
  const all: Setting[] = SETTING_NAMES.map((name) => SETTINGS[name]);

  test("flags, variables and one-letter options are never used twice", () => {
    for (const list of [all.map((s) => s.flag), all.map((s) => s.env), all.flatMap((s) => s.short ?? [])]) {
      expect(new Set(list).size).toBe(list.length);
    }
  });

  for (const name of SETTING_NAMES) {
    test(`${name} has a flag, a variable, a description, a command and a row in the docs`, () => {
      const setting: Setting = SETTINGS[name];
      expect(setting.flag).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(setting.env).toMatch(/^RUNNER_[A-Z]+(_[A-Z]+)*$/);
      expect(setting.description).toMatch(/^[A-Z].*\.$/);
      expect(setting.commands.length).toBeGreaterThan(0);
      expect(settingsTable()).toContain(`| \`--${setting.flag}\` | \`${setting.env}\` |`);
      if (setting.default !== undefined) expect(parseValue(setting, setting.default).ok).toBe(true);
    });
  }

  for (const command of COMMAND_NAMES) {
    test(`\`runner ${command} --help\` lists every option of the command with its variable, and examples that parse`, () => {
      const text = commandHelp(command);
      for (const name of settingsOf(command)) {
        expect(text).toContain(`--${SETTINGS[name].flag}`);
        expect(text).toContain(`[${SETTINGS[name].env}]`);
      }
      expect(overview("1")).toContain(`  ${command} `);
      for (const example of COMMANDS[command].examples) {
        const words =
          example
            .replace(/^(\w+=\S+ )*runner /, "")
            .replace(/ \|.*$/, "")
            .match(/"[^"]*"|\S+/g) ?? [];
        expect(words.slice(0, command.split(" ").length).join(" ")).toBe(command);
        expect(() => readArgs(command, words.slice(command.split(" ").length))).not.toThrow();
      }
    });
  }
});

describe("flag beats variable beats file beats default, and each value knows its source", () => {
  test("in this order", () => {
    const file = "min-free: 3MiB\nlog-cap: 3MiB\nlog-interval: 3s\n";
    const env = { RUNNER_MIN_FREE: "2MiB", RUNNER_LOG_CAP: "2MiB", RUNNER_CONFIG: "c.yaml" };
    const { values, sources } = load("run", ["--min-free", "1MiB"], env, file);
    expect([values.minFree, values.logCap, values.logInterval, values.mode]).toEqual([1 << 20, 2 << 20, 3000, "all"]);
    expect(sources.minFree).toEqual({ kind: "flag", name: "--min-free" });
    expect(sources.logCap).toEqual({ kind: "env", name: "RUNNER_LOG_CAP" });
    expect(sources.logInterval).toEqual({ kind: "file", name: "/srv/c.yaml" });
    expect(sources.mode.kind).toBe("default");
  });

  test("an empty variable counts as not set", () => {
    expect(load("run", [], { RUNNER_MODE: "" }).values.mode).toBe("all");
  });

  test("a relative path counts from the working folder, in a file from the file's folder", () => {
    expect(load("run", ["--state-dir", "s"]).values.stateDir).toBe("/srv/s");
    expect(load("run", ["--config", "etc/c.yaml"], {}, "state-dir: s").values.stateDir).toBe("/srv/etc/s");
  });

  test("a variable of another command does not stop this one", () => {
    expect(load("version", [], { RUNNER_LOG_CAP: "lots" }).values.json).toBe(false);
  });

  test("pairs come from repeated flags, commas and mappings", () => {
    const flags = load("run", ["--concurrency", "deploy=2,build=1", "--concurrency=all=3"]).values.concurrency;
    expect(flags).toEqual({ deploy: 2, build: 1, all: 3 });
    expect(load("run", ["--config", "c"], {}, "concurrency: { deploy: 2 }").values.concurrency).toEqual({ deploy: 2 });
  });
});

describe("bad input is refused with key, source, what was found and what is allowed", () => {
  test("an unknown option, with the one that was probably meant", () => {
    const error = refusal(() => load("run", ["--stat-dir", "x"]));
    expect([error.kind, error.message, error.remedy]).toEqual([
      "usage",
      "unknown option --stat-dir of `runner run`",
      "Did you mean --state-dir?",
    ]);
  });

  test("an unknown key in the file", () => {
    const error = refusal(() => load("run", ["--config", "c.yaml"], {}, "min_fre: 1MiB"));
    expect(error.message).toBe('config file /srv/c.yaml: unknown key "min_fre"');
    expect(error.remedy).toBe("Did you mean min-free?");
  });

  test.each([
    ["--log-interval", "5", 'log-interval (the command line): found "5", allowed is a duration from 10ms to 10s'],
    ["--log-interval", "1h", 'log-interval (the command line): found "1h", allowed is a duration from 10ms to 10s'],
    ["--min-free", "12", 'min-free (the command line): found "12", allowed is a size from 0B to 1PiB'],
    ["--concurrency", "deploy=x", "allowed is GROUP=N with N from 0 to 10000"],
    ["--api-url", "ftp://x", "allowed is an http or https URL"],
    ["--api-url", "http://user:pw@x", "allowed is an http or https URL without user or password"],
    ["--label", "=b", "allowed is KEY=VALUE"],
  ])("%s %s", (flag, found, message) => {
    expect(refusal(() => load("run", [flag, found])).message).toContain(message);
  });

  test("a value from the environment names the variable, and the near miss", () => {
    const error = refusal(() => load("run", [], { RUNNER_MODE: "instal" }));
    expect(error.message).toBe('mode (environment RUNNER_MODE): found "instal", allowed is all | install | org | mng');
    expect(error.remedy).toBe("Did you mean install?");
  });

  test("a value from a file names the file", () => {
    const error = refusal(() => load("run", ["--config", "c.yaml"], {}, "min-free: [1]"));
    expect(error.message).toContain("min-free (/srv/c.yaml): found [1], allowed is a size");
  });

  test("a secret is never echoed", () => {
    const error = refusal(() => load("run", ["--config", "c.yaml"], {}, "api-token: [s3cret]"));
    expect(error.message + error.remedy).not.toContain("s3cret");
    const whole = refusal(() => load("run", ["--config", "c.yaml"], {}, "s3cret"));
    expect(whole.message + whole.remedy).not.toContain("s3cret");
  });

  test("a flag twice, a flag without a value, an operand too many or missing", () => {
    expect(refusal(() => readArgs("run", ["--mode", "all", "--mode", "org"])).message).toBe("--mode is given twice");
    expect(refusal(() => readArgs("run", ["--mode"])).message).toBe("--mode needs a value");
    expect(refusal(() => readArgs("run", ["--mode", "--json"])).message).toBe("--mode needs a value, found --json");
    expect(refusal(() => readArgs("version", ["x"])).message).toBe('`runner version` does not take "x"');
    expect(refusal(() => readArgs("job show", [])).message).toBe("`runner job show` needs JOB");
  });

  test("an unknown RUNNER_ variable only warns, with the one that was probably meant", () => {
    expect(load("run", [], { RUNNER_STATE_DIRR: "x", RUNNER_FAILPOINT: "y", PATH: "z" }).warnings).toEqual([
      "environment variable RUNNER_STATE_DIRR is not known; did you mean RUNNER_STATE_DIR?",
    ]);
  });
});

test.each([
  ["listen", "127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["listen", ":8080", { host: "0.0.0.0", port: 8080 }],
  ["listen", "[::1]:8080", { host: "::1", port: 8080 }],
  ["minFree", "1.5GB", 1_500_000_000],
  ["minFree", "2K", 2048],
  ["apiUrl", "https://a.example/", "https://a.example"],
  ["insecure", "1", true],
] as const)("%s reads %s", (name, text, value) => {
  expect(parseValue(SETTINGS[name], text)).toEqual({ ok: true, value });
});
