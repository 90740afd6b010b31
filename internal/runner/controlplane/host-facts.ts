import { statfs } from "node:fs/promises";
import { freemem, loadavg } from "node:os";
import type { RenewRequest } from "../../protocol/native.ts";

/** Load, free memory and free disk (of the state directory's file system) as they are now. */
export async function hostFacts(stateDir: string): Promise<RenewRequest["host"]> {
  const disk = await statfs(stateDir).catch(() => null);
  return {
    load: loadavg()[0] ?? 0,
    memory_free_bytes: freemem(),
    disk_free_bytes: disk === null ? 0 : disk.bavail * disk.bsize,
  };
}
