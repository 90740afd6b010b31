import type { SystemLog } from "../../kit/base/system-log.ts";
import type { RunnerEvent } from "../../protocol/native.ts";
import type { ControlPlane } from "../controlplane/control-plane.ts";

export interface TellerDeps {
  readonly controlPlane: Pick<ControlPlane, "tell">;
  /** There is a session. */
  readonly ready: Promise<void>;
  readonly log: SystemLog;
  readonly signal: AbortSignal;
}

/** false: it was not taken before this process ended; true: it was, or never will be. Never rejects. */
export type Tell = (event: RunnerEvent) => Promise<boolean>;

/** Tells the control plane what happened here, one after another, as soon as there is a session. */
export function createTeller({ controlPlane, ready, log, signal }: TellerDeps): Tell {
  let last: Promise<unknown> = ready;
  const send = async (event: RunnerEvent): Promise<boolean> => {
    const told = await controlPlane.tell?.(event, signal);
    if (told === undefined || told.ok) return true;
    if (signal.aborted) return false;
    log.warn("the control plane takes no word of what happened here", { what: event.what, reason: told.error.message });
    return true;
  };
  return (event) => {
    const told = last.then(
      () => send(event),
      () => false,
    );
    last = told.then((done) => (done ? undefined : Promise.reject(new Error("ended"))));
    last.catch(() => {});
    return told;
  };
}
