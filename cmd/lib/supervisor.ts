import { openNotifier, watchdogInterval } from "../../internal/kit/base/sd-notify.ts";

/** What a service manager that speaks sd_notify is told (systemd: Type=notify, WatchdogSec=). */
export interface Supervisor {
  /** The state directory is ours and the loops begin; a control plane that is away is waited for while ready. */
  ready(): void;
  status(text: string): void;
  stopping(): void;
  /** The watchdog is fed while `stuck` answers null, and not from the moment it does not. */
  watch(stuck: () => string | null): void;
  end(): void;
}

/** The status of a runner that another instance keeps from its session: begins so. */
export const HELD = "not connected: another instance";

/** Quiet without NOTIFY_SOCKET. Tools never see these variables: their environment is a list of what is allowed. */
export async function openSupervisor(env: Readonly<Record<string, string | undefined>>): Promise<Supervisor> {
  const { notify } = await openNotifier(env.NOTIFY_SOCKET);
  const every = env.NOTIFY_SOCKET ? watchdogInterval(env.WATCHDOG_USEC, env.WATCHDOG_PID, process.pid) : null;
  let timer: ReturnType<typeof setInterval> | null = null;
  return {
    ready: () => void notify("READY=1", "STATUS=waiting for the control plane"),
    status: (text) => void notify(`STATUS=${text}`),
    stopping: () => void notify("STOPPING=1", "STATUS=draining"),
    watch: (stuck) => {
      if (every === null) return;
      timer = setInterval(() => {
        const reason = stuck();
        notify(reason === null ? "WATCHDOG=1" : `STATUS=stuck: ${reason}`);
      }, every);
      timer.unref();
    },
    end: () => {
      if (timer) clearInterval(timer);
    },
  };
}
