import { dlopen } from "bun:ffi";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { socketAddress } from "../../internal/kit/base/sd-notify.ts";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { action } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";

/** The supervisor's end of NOTIFY_SOCKET, as systemd holds it. */
function listen(path: string) {
  const c = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i64" },
  }).symbols;
  const fd = c.socket(1, 2, 0);
  const address = socketAddress(path);
  expect(c.bind(fd, address, address.length)).toBe(0);
  const heard: string[] = [];
  return () => {
    for (const bytes = Buffer.alloc(4096); ; ) {
      const size = Number(c.recv(fd, bytes, bytes.length, 0x40));
      if (size <= 0) return heard;
      heard.push(...bytes.subarray(0, size).toString().split("\n"));
    }
  };
}

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
});
afterEach(() => bed.end());

const isConnected = (line: string) => /^STATUS=connected, version \S+$/.test(line);

describe.skipIf(process.platform !== "linux")("a runner under a supervisor", () => {
  test("says when it is ready, feeds the watchdog, and says that it stops; its jobs never see the socket", async () => {
    const heard = listen(bed.path("notify"));
    const env = { NOTIFY_SOCKET: bed.path("notify"), WATCHDOG_USEC: "400000" };
    const runner = await addRunner(bed, control, { env });
    await until("it is ready", () => heard().includes("READY=1"));
    await until("it is connected", () => heard().some(isConnected));
    await until("the watchdog is fed", () => heard().filter((line) => line === "WATCHDOG=1").length >= 3);
    const job = await control.submit(action(bed, { body: "env | grep -c -E 'NOTIFY_SOCKET|WATCHDOG' || true\n" }).file);
    expect((await control.ended(job)).status).toBe("finished");
    expect((await control.log(job)).split("\n")[0]).toBe("0");
    runner.proc.signal("SIGTERM");
    expect(await runner.proc.exited).toBe(0);
    expect(heard()).toContain("STOPPING=1");
  }, 60_000);

  test("is ready while the control plane is away, because that is no reason to be restarted", async () => {
    const heard = listen(bed.path("notify"));
    await control.proc.kill9();
    const identity = { id: "run00000000000000000000000", token: "t" };
    await addRunner(bed, control, { identity, env: { NOTIFY_SOCKET: bed.path("notify"), WATCHDOG_USEC: "400000" } });
    await until("it is ready", () => heard().includes("READY=1"));
    await until("the watchdog is fed", () => heard().filter((line) => line === "WATCHDOG=1").length >= 3);
    expect(heard().some(isConnected)).toBe(false);
  }, 60_000);
});
