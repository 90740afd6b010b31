import { join } from "node:path";
import { forgetStart } from "../internal/kit/base/start-pages.ts";
import { EXIT } from "../internal/protocol/errors.ts";
import { writePresence } from "../internal/runner/supervisor/presence.ts";
import { type Command, type Context, need } from "./lib/context.ts";
import { stateBase } from "./lib/folders.ts";
import { manage } from "./lib/management.ts";
import { ownVersionOf } from "./lib/own-version.ts";
import { readLine, rereadLine } from "./lib/read-file.ts";
import { startRunnerHalf } from "./lib/runner-half.ts";
import { onStop } from "./lib/signals.ts";
import { openSupervisor } from "./lib/supervisor.ts";
import { TELEMETRY_END_MS, telemetryFor } from "./lib/telemetry.ts";

export const run: Command = (context) => {
  const { mode, stateDir } = context.values;
  const home = { env: context.env, uid: process.getuid?.() ?? 0 };
  return runAgainst(context, stateDir ?? join(stateBase(home), mode));
};

/** Works for the control plane of the settings until told to stop: drain, then cancel, then leave. */
export async function runAgainst(context: Context, stateDir: string) {
  const { values, log } = context;
  const apiUrl = need(values.apiUrl, "the address of the control plane", "api-url", "RUNNER_API_URL");
  const runnerId = need(values.runnerId, "the id of this runner", "runner-id", "RUNNER_ID");
  const tokenFile = values.apiToken ? null : values.tokenFile;
  const fromFile = tokenFile ? readLine(tokenFile, "token file") : null;
  const token = need(values.apiToken ?? fromFile, "the token of this runner", "token-file", "RUNNER_API_TOKEN");
  const supervisor = await openSupervisor(context.env);
  const telemetry = await telemetryFor(context, "runner", { "runner.id": runnerId, "runner.mode": values.mode });
  const connecting = new AbortController();
  let leave = (_why: string) => connecting.abort();
  const managed = values.mode === "mng" ? manage(context, stateDir, (why) => leave(why)) : null;
  const own = managed ? null : ownVersionOf(context, stateDir);
  let stop = onStop([() => connecting.abort()]);
  try {
    const runner = await startRunnerHalf(
      context,
      {
        apiUrl,
        runnerId,
        token,
        ...(tokenFile ? { readToken: () => rereadLine(tokenFile) } : {}),
        dialect: values.dialect,
        mode: values.mode,
        stateDir,
        log,
        local: false,
        supervisor,
        telemetry,
        ...(managed ? { itself: { management: managed.management } } : {}),
        ...(own ? { itself: { ownUpdate: own.ownUpdate } } : {}),
        opened: (vitals) => {
          managed?.begin(vitals);
          own?.begin();
        },
      },
      connecting.signal,
    );
    stop();
    forgetStart();
    const drain = (why: string) => {
      supervisor.stopping();
      writePresence(stateDir, { version: context.version, ready: true, draining: true });
      runner.drain(why);
    };
    leave = drain;
    managed?.watch(runner);
    own?.watch(runner);
    stop = onStop([drain, runner.cancel, runner.abandon]);
    return await runner.ended;
  } catch (error) {
    // Asked to stop while the control plane was away: nothing was begun.
    if (connecting.signal.aborted) return EXIT.done;
    throw error;
  } finally {
    await managed?.end();
    await telemetry?.end(TELEMETRY_END_MS);
    stop();
    supervisor.end();
  }
}
