import { systemClock } from "../../kit/base/clock.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import type { Credential } from "../../kit/http/http.ts";
import type { DialectOptions } from "./dialect-http.ts";

/**
 * A token that worked and is refused is being rotated, most likely: its file is looked at so often, so long. A secret of
 * Kubernetes takes more than a minute to arrive.
 */
const LOOK_MS = 1_000;
const PATIENCE_MS = 120_000;

/** The runner's token: the one place that knows it, and that it may change. */
export interface RunnerToken extends Credential {
  value(): string;
  /** Now and before: the old one may still stand in what a job prints. */
  known(): readonly string[];
  onRenewed(tell: (token: string) => void): void;
}

type Options = Pick<DialectOptions, "token" | "readToken" | "clock" | "log">;

/** Reads the token again where it is refused, and goes on with another one (docs/rotate-keys.md). */
export function createRunnerToken(options: Options): RunnerToken {
  const { token, readToken, clock = systemClock, log = silentLog } = options;
  const listeners: ((token: string) => void)[] = [];
  const headerOf = (of: string) => `Bearer ${of}`;
  let value = token;
  let before: string | null = null;
  let isProven = false;
  let waiters = 0;
  let waiting: Promise<boolean> | null = null;

  function reread(): boolean {
    const found = readToken?.() ?? value;
    if (found === value) return false;
    before = value;
    value = found;
    isProven = false;
    for (const tell of listeners) tell(value);
    log.info("the token was refused; its file has a new one, which is used from now on");
    return true;
  }

  /** Until its file has another one; after that the refused one is not waited for again. */
  async function wait(): Promise<boolean> {
    const remedy = "Write the new token into the file; without one the runner drains and ends.";
    log.warn("the token is refused; its file is read again for two minutes", { remedy });
    const refused = value;
    const end = clock.monotonic() + PATIENCE_MS;
    while (waiters > 0 && clock.monotonic() < end) {
      await clock.sleep(LOOK_MS);
      // A request that was refused meanwhile may have read it first.
      if (value !== refused || reread()) return true;
    }
    if (waiters > 0) isProven = false;
    return false;
  }

  async function waited(signal: AbortSignal | undefined): Promise<boolean> {
    const over = new AbortController();
    const signals = signal ? [signal, over.signal] : [over.signal];
    waiters += 1;
    waiting ??= wait().finally(() => {
      waiting = null;
    });
    const givenUp = clock.sleep(2 * PATIENCE_MS, AbortSignal.any(signals)).then(() => false);
    const renewed = await Promise.race([waiting, givenUp]);
    waiters -= 1;
    over.abort();
    return renewed;
  }

  return {
    value: () => value,
    known: () => (before === null ? [value] : [value, before]),
    onRenewed: (tell) => void listeners.push(tell),
    patienceMs: PATIENCE_MS + LOOK_MS,
    current: () => headerOf(value),
    accepted(shown) {
      if (shown === headerOf(value)) isProven = true;
    },
    async refused(shown, status, signal) {
      // Another request may have read it meanwhile.
      if (shown !== headerOf(value) || reread()) return true;
      // 403 may mean what was asked for, and nobody waits for that.
      const isRotated = status === 401 && isProven && readToken !== undefined;
      return isRotated && signal?.aborted !== true ? waited(signal) : false;
    },
  };
}
