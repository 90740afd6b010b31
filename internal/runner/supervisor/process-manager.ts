import { closeSync, openSync } from "node:fs";
import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { identify, isSame, type ProcessIdentity } from "../../kit/exec/index.ts";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { countLives, type Presence, presenceOf, sessionWords } from "./presence.ts";
import type { ServiceManager } from "./service-manager.ts";

const LOOK_MS = 100;
/** By then a runner that lives says that it drains. */
const HEARD_MS = 60_000;
/** Between two starts of a runner that ends at once; doubled up to the cap, back to the base once it was ready. */
const PAUSE = { base_ms: 500, cap_ms: 60_000 };

export interface ProcessManagerOptions {
  /** State directory of the runner: says who runs there, whoever started it. */
  readonly stateDir: string;
  /** Asked before each start: the links may have moved. */
  readonly argv: () => readonly string[];
  /** Asked before each start. May throw. */
  readonly env: () => Readonly<Record<string, string | undefined>>;
  /** Who runs there. */
  readonly presence?: () => Presence | null;
  /** What an earlier life of ours had started, where nobody may be seen there yet. */
  readonly left?: () => ProcessIdentity | null;
  /** Asks the living one to end. */
  readonly end?: (how: "drain" | "leave", living: ProcessIdentity) => Promise<Result<void>>;
  /**
   * A file that what it writes is appended to, made when it is missing. Without one it writes where we do: not for a
   * command that ends before it, whose reader would wait for its end.
   */
  readonly output?: string;
  readonly clock: Clock;
  readonly log: SystemLog;
}

/**
 * The runner as a child of ours, in a session of its own, for containers and machines without systemd. It outlives us;
 * after our own restart it is found again by its state directory.
 */
export function createProcessManager(options: ProcessManagerOptions): ServiceManager {
  const { clock, log } = options;
  const lives = countLives(options.presence ?? (() => presenceOf(options.stateDir)));
  const presence = lives.look;
  let child: ProcessIdentity | null = null;
  let wanted = false;
  let ends = 0;
  let pause = PAUSE.base_ms;
  const closing = new AbortController();

  const living = (): ProcessIdentity | null => presence() ?? (child && isSame(child) ? child : null);
  const signalled = async (how: "drain" | "leave", found: ProcessIdentity): Promise<Result<void>> => {
    // One that drains already would take a second signal for "cancel what runs".
    if (how === "leave") signal(found, "SIGKILL");
    else if (!presence()?.draining) signal(found, "SIGTERM");
    return ok(undefined);
  };
  const end = options.end ?? signalled;
  const leftOver = (): ProcessIdentity | null => {
    child = options.left?.() ?? null;
    return child;
  };
  const spawn = (): Result<void> => {
    const argv = options.argv();
    let fd: number | null = null;
    try {
      const env = { ...options.env() };
      fd = options.output === undefined ? null : openSync(options.output, "a", 0o600);
      const output = fd ?? "inherit";
      const started = Bun.spawn([...argv], { env, detached: true, stdin: "ignore", stdout: output, stderr: output });
      started.unref();
      child = identify(started.pid);
      const { output: file } = options;
      log.info("the runner is started", {
        pid: started.pid,
        program: argv[0] ?? "",
        ...(file ? { output: file } : {}),
      });
      return ok(undefined);
    } catch (cause) {
      return fail(
        new RunnerError("environment", `the runner cannot be started: ${reasonOf(cause)}`, {
          remedy: `Check that ${argv[0]} is there and can be run.`,
          cause,
        }),
      );
    } finally {
      if (fd !== null) closeSync(fd);
    }
  };

  /** Starts it again when it ends, as a service manager does. */
  const keep = async (): Promise<void> => {
    let seen: number | null = null;
    while (!closing.signal.aborted) {
      const now = living();
      if (now === null && wanted) {
        if (seen !== null) ends++;
        seen = null;
        log.warn("the runner has ended; it is started again", { in_ms: pause, ends });
        await clock.sleep(pause, closing.signal);
        pause = Math.min(pause * 2, PAUSE.cap_ms);
        if (wanted && !closing.signal.aborted && living() === null) {
          const started = spawn();
          if (!started.ok) log.error(started.error.message);
          seen = 0;
        }
      } else {
        seen = now?.pid ?? null;
        if (presence()?.ready) pause = PAUSE.base_ms;
      }
      await clock.sleep(LOOK_MS, closing.signal);
    }
  };
  void keep();

  return {
    kind: "process",
    async state() {
      const present = presence();
      const pid = living()?.pid ?? null;
      const text = pid === null ? "not running" : `pid ${pid}, ${sessionWords(present)}`;
      return {
        pid,
        ready: present?.ready === true,
        ends: Math.max(ends, lives.ends()),
        down: pid === null && !wanted,
        failed: false,
        text,
      };
    },
    async start() {
      ends = 0;
      lives.reset();
      pause = PAUSE.base_ms;
      const found = living() ?? leftOver();
      if (found === null) {
        const started = spawn();
        if (!started.ok) return started;
      }
      wanted = true;
      return ok(undefined);
    },
    async stop(how) {
      wanted = false;
      const found = living() ?? leftOver();
      if (found === null) return ok(undefined);
      const asked = await end(how, found);
      const until = clock.monotonic() + HEARD_MS;
      while (asked.ok && living() !== null) {
        // It hangs: its tools live on without it. One that drains may take as long as its jobs.
        if (clock.monotonic() > until && !presence()?.draining && isSame(found)) signal(found, "SIGKILL");
        await clock.sleep(LOOK_MS);
      }
      return asked;
    },
    close: () => closing.abort(),
  };
}

function signal({ pid }: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ended in this moment
  }
}
