import { expect, test } from "bun:test";
import { isReadOnlyMount } from "./mounts.ts";

const MOUNTS = [
  "1 0 0:1 / / rw,relatime - overlay overlay rw",
  "2 1 0:2 / /etc/runner/admin ro,relatime - tmpfs tmpfs rw,size=1k",
  "3 1 0:3 / /srv/a\\040b rw - ext4 /dev/x ro",
  "4 3 0:4 / /srv/a\\040b/c ro - ext4 /dev/y ro",
  "5 1 0:5 / /over ro - tmpfs a ro",
  "6 1 0:6 / /over rw - tmpfs b rw",
  "",
].join("\n");

for (const [path, readOnly] of [
  ["/etc/runner/admin/..2026/admin.key", true],
  ["/etc/runner/adminx", false],
  ["/etc/runner/key", false],
  ["/srv/a b/key", false],
  ["/srv/a b/c/key", true],
  ["/over/key", false],
] as const) {
  test(`a file at ${path} lies on a mount that is ${readOnly ? "read-only" : "writable"}`, () => {
    expect(isReadOnlyMount(path, MOUNTS)).toBe(readOnly);
  });
}
