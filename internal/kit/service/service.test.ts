import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { imageUnitFile, serviceBundle, serviceDescription, serviceFiles } from "./index.ts";
import { launchdFacts } from "./launchd.ts";
import type { ServiceWish } from "./place.ts";

const BUNDLE = join(import.meta.dir, "../../../bundle/service");
const RUNNER: ServiceWish = { service: "runner", mode: null, instance: null, prefix: "/usr/local" };
const textOf = (wish: ServiceWish) => serviceFiles("systemd", wish)[0]?.text ?? "";
const value = (text: string, key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1];

test("bundle/service holds what service.yml says, and nothing else", () => {
  const there = readdirSync(BUNDLE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(BUNDLE.length + 1));
  const expected = serviceBundle();
  expect(there.sort()).toEqual([...expected.keys()].sort());
  for (const [name, text] of expected) expect([name, readFileSync(join(BUNDLE, name), "utf8")]).toEqual([name, text]);
});

describe("a unit of systemd", () => {
  test("leaves tools alive when the runner ends, and gives a drain the time it may take", () => {
    const { drain } = serviceDescription();
    for (const wish of [RUNNER, { ...RUNNER, instance: "eu-1" }, { ...RUNNER, service: "mng" as const }]) {
      const text = textOf(wish);
      expect([value(text, "Type"), value(text, "KillMode"), value(text, "Restart"), value(text, "OOMPolicy")]).toEqual([
        "notify",
        "process",
        "always",
        "continue",
      ]);
      expect(Number(value(text, "TimeoutStopSec"))).toBeGreaterThan(drain.timeout);
      expect(text).not.toMatch(/^PrivateUsers=yes/m);
    }
    expect(textOf(RUNNER)).not.toMatch(/^PrivateTmp=/m);
  });

  test("has another place for every instance, by the name that systemd puts in", () => {
    const [file] = serviceFiles("systemd", { ...RUNNER, instance: "eu-1" });
    expect(file?.path).toBe("/etc/systemd/system/runner@.service");
    for (const part of [
      "EnvironmentFile=/etc/runner/%i.env",
      "StateDirectory=runner/%i",
      "SyslogIdentifier=runner-%i",
    ]) {
      expect(file?.text).toContain(part);
    }
    expect(file?.text).not.toContain("eu-1");
  });

  test("takes longer with every restart only where systemd knows how (254)", () => {
    const names = (version: number) => serviceFiles("systemd", RUNNER, [], version).map(({ path }) => path);
    expect(names(253)).toEqual(["/etc/systemd/system/runner.service"]);
    expect(names(254)).toContain("/etc/systemd/system/runner.service.d/back-off.conf");
  });

  test("of the supervisor counts a start once, so that a new version has the three tries it is given", () => {
    const guards = textOf({ ...RUNNER, service: "mng" }).match(/^ExecStartPre=.*mng guard.*$/gm);
    expect(guards).toEqual([
      "ExecStartPre=-/usr/local/lib/runner/previous/runner mng guard --state-dir /var/lib/runner/mng",
    ]);
  });

  test("takes the token's copy only to its own name, wherever a link of that name leads", () => {
    for (const wish of [RUNNER, { ...RUNNER, service: "mng" as const }]) {
      expect(textOf(wish)).toMatch(
        /^ExecStartPre=-\+\/usr\/bin\/install -T .*\/etc\/runner\/token \/run\/runner\/\w+\/token$/m,
      );
    }
  });

  test("starts the program of its prefix", () => {
    expect(textOf({ ...RUNNER, prefix: "/opt/runner" })).toContain(
      "ExecStart=/opt/runner/bin/runner run --mode install",
    );
    expect(textOf({ ...RUNNER, mode: "org" })).toContain("run --mode org ");
  });

  test("a relaxation that there is not is refused with the nearest name", () => {
    expect(() => serviceFiles("systemd", RUNNER, ["dockr"])).toThrow('there is no relaxation "dockr"');
  });
});

describe("the unit of a runner that is an image", () => {
  for (const engine of ["podman", "docker"] as const) {
    test(`gives ${engine} longer to stop it than a drain may take, and the image no rights`, () => {
      const { drain } = serviceDescription();
      const { text } = imageUnitFile(engine);
      const [, stop] = /--stop-timeout=(\d+)/.exec(text) ?? [];
      expect(Number(stop)).toBeGreaterThan(drain.timeout);
      expect(Number(value(text, "TimeoutStopSec"))).toBeGreaterThan(Number(stop));
      for (const part of [
        "--cap-drop=ALL",
        "--read-only",
        "--security-opt=no-new-privileges",
        `/usr/bin/${engine} run`,
      ]) {
        expect(text).toContain(part);
      }
    });
  }
});

describe("rc.d of OpenBSD", () => {
  for (const shell of ["mksh", "ksh93"]) {
    test.skipIf(Bun.which(shell) === null)(`${shell} finds no fault with the script`, () => {
      for (const wish of [RUNNER, { ...RUNNER, instance: "eu-1" }, { ...RUNNER, service: "mng" as const }]) {
        const [file] = serviceFiles("rcd", wish);
        const done = Bun.spawnSync([shell, "-n"], { stdin: Buffer.from(file?.text ?? ""), stderr: "pipe" });
        expect([done.stderr.toString(), done.exitCode]).toEqual(["", 0]);
        expect(file?.path).toMatch(/^\/etc\/rc\.d\/[a-z_0-9]+$/);
      }
    });
  }
});

describe("launchd of macOS", () => {
  test("the property list is XML that says what was meant", () => {
    for (const wish of [RUNNER, { ...RUNNER, instance: "eu-1" }, { ...RUNNER, service: "mng" as const }]) {
      const [file] = serviceFiles("launchd", wish);
      expect(readPlist(file?.text ?? "")).toEqual(launchdFacts(wish));
    }
    expect(launchdFacts(RUNNER)).toMatchObject({ KeepAlive: true, AbandonProcessGroup: true, Umask: 0o077 });
  });
});

/** The dict of a property list. Throws for what is no well-formed list. */
function readPlist(text: string): unknown {
  const tokens = [...text.matchAll(/<(\/?)(\w+)([^>]*?)(\/?)>([^<]*)/g)].filter(([, , name]) => name !== "plist");
  const read = (): unknown => {
    const [, , name = "", , alone = "", inner = ""] = tokens.shift() ?? [];
    if (alone !== "") return name === "true";
    if (name === "string" || name === "key" || name === "integer") {
      expect(tokens.shift()?.slice(1, 3)).toEqual(["/", name]);
      const plain = inner.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
      return name === "integer" ? Number(plain) : plain;
    }
    const parts: unknown[] = [];
    while (tokens[0]?.[1] !== "/") parts.push(read());
    expect(tokens.shift()?.slice(1, 3)).toEqual(["/", name]);
    if (name === "array") return parts;
    expect(name).toBe("dict");
    return Object.fromEntries(Array.from({ length: parts.length / 2 }, (_, i) => [parts[2 * i], parts[2 * i + 1]]));
  };
  const found = read();
  expect(tokens).toEqual([]);
  return found;
}
