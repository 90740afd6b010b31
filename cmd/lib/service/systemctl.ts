import { existsSync } from "node:fs";
import { RunnerError } from "../../../internal/protocol/errors.ts";

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; one that is missing ends with 127. */
export async function runProgram(...argv: readonly [string, ...string[]]): Promise<Done> {
  try {
    const child = Bun.spawn([...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, stdout, stderr };
  } catch (cause) {
    return { code: 127, stdout: "", stderr: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** systemd is this machine's service manager. */
export const systemdRuns = (): boolean => existsSync("/run/systemd/system");

/** Throws RunnerError (environment) with what systemctl said. */
export async function systemctl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram("systemctl", "--system", "--no-pager", "--quiet", ...args);
  if (code === 0) return stdout;
  const said = stderr.trim().split("\n")[0] || `exit code ${code}`;
  const unit = args.at(-1) ?? "";
  throw new RunnerError("environment", `systemctl ${args.join(" ")}: ${said}`, {
    remedy: unit.endsWith(".service")
      ? `\`systemctl status ${unit}\` and \`journalctl -u ${unit} -n 50\` say more.`
      : "Is this done as root, on a machine that systemd has started?",
  });
}

/** `NAME=value` lines of `systemctl show`; a unit that there is not has values too. */
export async function showUnit(unit: string, names: readonly string[]): Promise<(name: string) => string> {
  const { stdout } = await runProgram("systemctl", "--system", "show", `--property=${names.join(",")}`, unit);
  const facts = new Map(
    stdout.split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, Math.max(at, 0)), line.slice(at + 1)];
    }),
  );
  return (name) => facts.get(name) ?? "";
}

/** 252, or 0 when it cannot be told. */
export async function systemdVersion(): Promise<number> {
  const { stdout } = await runProgram("systemctl", "--version");
  return Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0);
}

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, min: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `1h 2min 30s` of systemctl show, in seconds; 0 for what is none, no end for `infinity`. */
export function spanSeconds(text: string): number {
  if (text === "infinity") return Number.POSITIVE_INFINITY;
  return text
    .split(" ")
    .map((part) => /^(\d+)([a-z]+)$/.exec(part))
    .reduce((sum, match) => sum + Number(match?.[1] ?? 0) * (SECONDS[match?.[2] ?? ""] ?? 0), 0);
}
