import type { Clock } from "../../kit/base/clock.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { countLives, type Lives, type Presence, sessionWords } from "./presence.ts";
import type { ServiceManager, ServiceState } from "./service-manager.ts";

export interface SystemctlEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
export type Systemctl = (...args: readonly string[]) => Promise<SystemctlEnd>;

/** Runs the program; one that is missing ends with 127. */
export const systemctl: Systemctl = async (...args) => {
  try {
    const child = Bun.spawn(["systemctl", "--system", "--no-pager", ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, stdout, stderr };
  } catch (cause) {
    return { code: 127, stdout: "", stderr: cause instanceof Error ? cause.message : String(cause) };
  }
};

export interface SystemdOptions {
  readonly run?: Systemctl;
  /** Who works in the unit, where it lives in a container and cannot tell systemd itself. */
  readonly presence?: () => Presence | null;
  /** Ends it at once, where that is more than its main process. */
  readonly kill?: () => Promise<void>;
}

const PROPERTIES = "LoadState,ActiveState,SubState,Result,MainPID,NRestarts,StatusText";
const LOOK_MS = 100;
const SHOW_TRIES = 10;
const SHOW_PAUSE_MS = 1_000;

/**
 * A unit of systemd (Type=notify, KillMode=process, Restart=always): systemd starts it again by itself; what a stop here
 * ends stays down until it is started here.
 */
export function createSystemdManager(
  unit: string,
  clock: Clock,
  { run = systemctl, presence, kill }: SystemdOptions = {},
): ServiceManager {
  const lives = presence === undefined ? null : countLives(presence);
  const act = async (...args: readonly string[]): Promise<Result<void>> => {
    const { code, stderr } = await run(...args, unit);
    if (code === 0) return ok(undefined);
    const said = stderr.trim().split("\n")[0] ?? "";
    return fail(
      new RunnerError("environment", `systemctl ${args.join(" ")} ${unit}: ${said || `exit code ${code}`}`, {
        remedy: `\`systemctl status ${unit}\` and \`journalctl -u ${unit} -n 50\` say more.`,
      }),
    );
  };
  /** A systemd that is busy with itself (daemon-reexec, a full bus) says nothing of the unit: no reason to judge it. */
  const shown = async (): Promise<string> => {
    for (let tries = 1; ; tries++) {
      const { code, stdout } = await run("show", `--property=${PROPERTIES}`, unit);
      if (code === 0 || tries === SHOW_TRIES) return stdout;
      await clock.sleep(SHOW_PAUSE_MS);
    }
  };
  const state = async (): Promise<ServiceState> => {
    const said = stateOf(await shown());
    return lives === null ? said : withPresence(said, lives);
  };

  return {
    kind: "systemd",
    state,
    async start() {
      // One that was started too often in vain is not started any more, whatever version it is by now.
      await run("reset-failed", unit);
      lives?.reset();
      // Whether it becomes ready is judged by whoever asked; a version that hangs must not hold this up.
      return await act("start", "--no-block");
    },
    async stop(how) {
      if (how === "drain") return await act("stop");
      if (kill) {
        await kill();
        return await act("stop");
      }
      // Without a stop of its own the kill would be answered by a restart.
      const asked = await act("stop", "--no-block");
      if (!asked.ok) return asked;
      await run("kill", "--kill-who=main", "--signal=SIGKILL", unit);
      while (!(await state()).down) await clock.sleep(LOOK_MS);
      return ok(undefined);
    },
    close() {},
  };
}

/** systemd counts the ends of the whole container, of which the runner in it has seen each too. */
function withPresence(said: ServiceState, lives: Lives): ServiceState {
  const found = lives.look();
  const ends = Math.max(said.ends, lives.ends());
  const ready = said.pid !== null && found?.ready === true;
  return { ...said, ready, ends, text: `${said.text}, ${sessionWords(said.pid === null ? null : found)}` };
}

function stateOf(shown: string): ServiceState {
  const facts = new Map(
    shown
      .split("\n")
      .filter((line) => line.includes("="))
      .map((line): [string, string] => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const fact = (name: string) => facts.get(name) ?? "";
  const active = fact("ActiveState");
  const pid = Number(fact("MainPID")) || null;
  const why = fact("Result") === "success" || fact("Result") === "" ? "" : `, ${fact("Result")}`;
  const missing = fact("LoadState") === "not-found" ? "there is no such unit" : "";
  return {
    pid,
    ready: active === "active" && fact("StatusText").startsWith("connected"),
    ends: Number(fact("NRestarts")) || 0,
    down: active === "inactive" || active === "failed" || active === "",
    failed: active === "failed",
    text:
      missing ||
      `${active || "unknown"} (${fact("SubState")}${why})${fact("StatusText") ? `: ${fact("StatusText")}` : ""}`,
  };
}
