import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Signer } from "../../../../scripts/lib/release-signing.ts";
import { type Done, type SystemdHost, startSystemd, systemdMissing } from "../../../bed/systemd.ts";
import { newSigner, signLatest } from "../../../lib/release-folder.ts";
import { type ReleaseHost, startReleaseHost } from "./release-host.ts";
import { writeRelease } from "./releases.ts";

/** A Debian of its own, a release host, and install.sh in it. */
export interface InstallBed {
  readonly vm: SystemdHost;
  readonly host: ReleaseHost;
  readonly signer: Signer;
  /** Of the test; the same path inside. */
  readonly folder: string;
  /** Folder of the releases that the host serves. */
  readonly releases: string;
  /** A shell script inside the machine, as root. */
  sh(script: string): Promise<Done>;
  /** install.sh by the shell of the machine, with the key of these releases, without a service. */
  readonly installer: readonly string[];
  install(...flags: string[]): Promise<Done>;
  end(): Promise<void>;
}

/** Skips on a person's machine where something is missing; on CI that is a failure. */
export const noInstallBed = systemdMissing() !== null && process.env.CI !== "true";

/** Shells of this machine that are taken along: a minimal Debian has dash and bash. */
const SHELLS = { ksh93: "/usr/bin/ksh93", mksh: "/usr/bin/mksh", busybox: "/usr/bin/busybox" } as const;
export const SHELL_NAMES = ["dash", "bash", "ksh93", "mksh", "busybox sh"] as const;

export const OLD = "1.0.0";
export const NEW = "1.1.0+abc1234";

export async function startInstallBed(): Promise<InstallBed> {
  const folder = mkdtempSync(join(tmpdir(), "runner-install-"));
  chmodSync(folder, 0o755);
  const releases = join(folder, "releases");
  const signer = newSigner();
  for (const version of [OLD, NEW]) writeRelease(join(releases, version), version, signer);
  signLatest(releases, NEW, signer);
  writeFileSync(join(folder, "release.pub"), signer.publicText);
  copyFileSync(join(import.meta.dir, "../../../../install.sh"), join(folder, "install.sh"));
  mkdirSync(join(folder, "bin"));
  for (const [name, path] of Object.entries(SHELLS))
    if (existsSync(path)) copyFileSync(path, join(folder, "bin", name));
  const host = startReleaseHost(releases);
  const vm = await startSystemd({ mounts: [`${folder}:${folder}`] });
  const installer = ["sh", `${folder}/install.sh`, "--public-key", `${folder}/release.pub`, "--no-service"];
  const sh = (script: string) => vm.exec("sh", "-c", `export PATH=${folder}/bin:$PATH; ${script}`);
  return {
    vm,
    host,
    signer,
    folder,
    releases,
    sh,
    installer,
    install: (...flags) => vm.exec(...installer, ...flags),
    async end() {
      await vm.end();
      await host.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
