import { dlopen } from "bun:ffi";
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNotifier, silentNotifier, socketAddress, watchdogInterval } from "./sd-notify.ts";

const folder = mkdtempSync(join(tmpdir(), "sd-notify-"));
const libc = () =>
  dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols;

/** A supervisor's end of the socket. */
function supervisor(path: string) {
  const c = libc();
  const fd = c.socket(1, 2, 0);
  const address = socketAddress(path);
  if (c.bind(fd, address, address.length) !== 0) throw new Error(`bind ${path}`);
  return {
    next(): string | null {
      const bytes = Buffer.alloc(4096);
      const size = Number(c.recv(fd, bytes, bytes.length, 0x40));
      return size > 0 ? bytes.subarray(0, size).toString() : null;
    },
    close: () => c.close(fd),
  };
}

afterEach(() => rmSync(join(folder, "notify"), { force: true }));

describe.skipIf(process.platform !== "linux")("telling the supervisor", () => {
  for (const path of [join(folder, "notify"), `@runner-sd-notify-${process.pid}`]) {
    test(`arrives at ${path.startsWith("@") ? "an abstract socket" : "a socket file"}, several states in one datagram`, async () => {
      const end = supervisor(path);
      try {
        const notifier = await openNotifier(path);
        expect(notifier.notify("READY=1", "STATUS=idle")).toBe(true);
        expect(end.next()).toBe("READY=1\nSTATUS=idle");
        expect(notifier.notify("WATCHDOG=1")).toBe(true);
        expect(end.next()).toBe("WATCHDOG=1");
        expect(end.next()).toBeNull();
      } finally {
        end.close();
      }
    });
  }

  test("is quiet where nobody listens or the address is none", async () => {
    expect((await openNotifier(join(folder, "nobody"))).notify("READY=1")).toBe(false);
    expect(await openNotifier(undefined)).toBe(silentNotifier);
    expect(await openNotifier("relative/path")).toBe(silentNotifier);
    expect(await openNotifier(`/${"x".repeat(200)}`)).toBe(silentNotifier);
  });

  test("the watchdog is fed at half of what it allows, and only by the process it watches", () => {
    expect(watchdogInterval("30000000", undefined, 7)).toBe(15_000);
    expect(watchdogInterval("30000000", "7", 7)).toBe(15_000);
    expect(watchdogInterval("30000000", "8", 7)).toBeNull();
    expect(watchdogInterval(undefined, undefined, 7)).toBeNull();
    expect(watchdogInterval("0", undefined, 7)).toBeNull();
  });
});
