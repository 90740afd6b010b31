import { serviceDescription } from "./description.ts";
import { placeOf, type ServiceWish } from "./place.ts";

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };

/** The property list of macOS's launchd(8): /Library/LaunchDaemons/LABEL.plist. */
export function launchdPlist(wish: ServiceWish): string {
  const facts = launchdFacts(wish);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    "<!-- Generated from service.yml of runner. -->",
    '<plist version="1.0">',
    xml(facts, ""),
    "</plist>",
    "",
  ].join("\n");
}

/** Its keys and values. launchd reads no env files, so a shell does. */
export function launchdFacts(wish: ServiceWish): Readonly<Record<string, Value>> {
  const { drain, restart, limits, group } = serviceDescription();
  const { row, mode, program, envFile, tokenFile, stateDir } = placeOf(wish);
  const run = `exec ${program} run --mode ${mode} --state-dir ${stateDir} --token-file ${tokenFile}`;
  const limit = { NumberOfFiles: limits.open_files, Core: 0 };
  return {
    Label: launchdLabel(wish),
    UserName: row.user,
    GroupName: row.user === "root" ? "wheel" : group,
    ProgramArguments: ["/bin/sh", "-c", `set -a; . ${envFile}; set +a; ${run}`],
    EnvironmentVariables: { HOME: stateDir, RUNNER_DRAIN_TIMEOUT: `${drain.timeout}s` },
    WorkingDirectory: "/",
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: restart.delay,
    // Tools outlive the runner and are taken up again.
    AbandonProcessGroup: true,
    ExitTimeOut: drain.timeout + drain.grace,
    Umask: 0o077,
    SoftResourceLimits: limit,
    HardResourceLimits: limit,
    StandardErrorPath: `/var/log/${row.unit}${wish.instance === null ? "" : `-${wish.instance}`}.log`,
  };
}

export const launchdLabel = (wish: ServiceWish): string =>
  ["dev.runner", placeOf(wish).row.unit, ...(wish.instance === null ? [] : [wish.instance])].join(".");

function xml(value: Value, indent: string): string {
  if (typeof value === "string") return `${indent}<string>${escaped(value)}</string>`;
  if (typeof value === "number") return `${indent}<integer>${value}</integer>`;
  if (typeof value === "boolean") return `${indent}<${value}/>`;
  const inner = `${indent}  `;
  if (isList(value))
    return [`${indent}<array>`, ...value.map((one) => xml(one, inner)), `${indent}</array>`].join("\n");
  const pairs = Object.entries(value).map(([key, one]) => `${inner}<key>${key}</key>\n${xml(one, inner)}`);
  return [`${indent}<dict>`, ...pairs, `${indent}</dict>`].join("\n");
}

const isList = (value: Value): value is readonly string[] => Array.isArray(value);

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
