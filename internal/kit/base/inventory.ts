import { arch, cpus, hostname, platform, totalmem } from "node:os";
import type { Inventory } from "../../protocol/native.ts";
import type { Gpu } from "./gpus.ts";

/** What this machine is, in the words of container platforms (amd64, arm64). */
export function inventoryOf(labels: Readonly<Record<string, string>>, gpus: readonly Gpu[]): Inventory {
  return {
    hostname: hostname(),
    os: platform(),
    arch: arch() === "x64" ? "amd64" : arch(),
    cpus: cpus().length,
    memory_bytes: totalmem(),
    gpus: [...gpus],
    labels: { ...labels },
  };
}
