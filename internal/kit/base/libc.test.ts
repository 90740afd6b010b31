import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { muslNames, openLibc } from "./libc.ts";

test.skipIf(process.platform !== "linux")("the C library of this machine is found", async () => {
  const libc = await openLibc({ getpid: { args: [], returns: "i32" } });
  expect(libc?.getpid()).toBe(process.pid);
});

test("musl's library is known by Alpine's name, and by its loader where that is all there is", () => {
  const folder = mkdtempSync(join(tmpdir(), "libc-"));
  try {
    for (const name of ["ld-musl-x86_64.so.1", "libc.so.6", "libm.so.6"]) writeFileSync(join(folder, name), "");
    expect(muslNames(folder)).toEqual(["ld-musl-x86_64.so.1"]);
    writeFileSync(join(folder, "libc.musl-x86_64.so.1"), "");
    expect(muslNames(folder)).toEqual(["libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"]);
    expect(muslNames(join(folder, "none"))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
