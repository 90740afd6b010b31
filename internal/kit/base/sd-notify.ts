import { openLibc } from "./libc.ts";

/**
 * sd_notify(3): datagrams to the supervisor's socket. Bun has no unix datagram socket of its own, so this is four calls
 * into libc, loaded only when there is a socket to talk to. Never throws: a supervisor that does not listen is no
 * reason to stop working.
 */
export interface Notifier {
  /** `READY=1`, `STOPPING=1`, `STATUS=…`, `WATCHDOG=1`; several in one call. false: it could not be sent. */
  notify(...states: readonly string[]): boolean;
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** sun_path, with its last NUL. */
const PATH_BYTES = 108;

export const silentNotifier: Notifier = { notify: () => false };

/** `path` is NOTIFY_SOCKET: absolute, or `@name` for the abstract name space. Linux only; elsewhere nothing is sent. */
export async function openNotifier(path: string | undefined): Promise<Notifier> {
  if (!path || process.platform !== "linux" || !/^[/@]/.test(path) || Buffer.byteLength(path) >= PATH_BYTES) {
    return silentNotifier;
  }
  const libc = await openLibc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "usize", "i32", "ptr", "u32"], returns: "i64" },
  });
  if (!libc) return silentNotifier;
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return silentNotifier;
  const address = socketAddress(path);
  return {
    notify(...states) {
      const message = Buffer.from(states.join("\n"));
      const sent = libc.sendto(fd, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
      return Number(sent) === message.length;
    },
  };
}

/** struct sockaddr_un: family in host order (little-endian on every target), then the path. */
export function socketAddress(path: string): Buffer {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/** How often the watchdog wants to hear of us, in ms: half of what it allows. null: it is off, or meant for another process. */
export function watchdogInterval(usec: string | undefined, pid: string | undefined, ownPid: number): number | null {
  const allowed = Number(usec ?? "");
  if (!Number.isFinite(allowed) || allowed <= 0) return null;
  if (pid && Number(pid) !== ownPid) return null;
  return Math.max(1, Math.floor(allowed / 2_000));
}
