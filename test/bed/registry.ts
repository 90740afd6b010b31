import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, ready, startDaemon } from "./daemon.ts";

/** A real registry (distribution 2.8 of Debian) on loopback, plain HTTP. It has no referrers API. */
export interface Registry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly user: { readonly name: string; readonly password: string } | null;
  log(): string;
  end(): Promise<void>;
}

export const registryMissing = (): string | null =>
  Bun.which("docker-registry") === null ? "no docker-registry on PATH" : null;

export interface RegistryOptions {
  /** Wants this user (bcrypt by htpasswd). */
  readonly user?: { readonly name: string; readonly password: string };
  /** PEM files: HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), "runner-registry-"));
  const port = await freePort();
  const { user, tls } = options;
  const passwords = join(folder, "htpasswd");
  if (user !== undefined) {
    writeFileSync(passwords, Bun.spawnSync(["htpasswd", "-Bbn", user.name, user.password]).stdout);
  }
  const config = {
    version: "0.1",
    log: { level: "info" },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: "test",
      ...(tls === undefined ? {} : { tls: { certificate: tls.cert, key: tls.key } }),
    },
    ...(user === undefined ? {} : { auth: { htpasswd: { realm: "test", path: passwords } } }),
  };
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(config));
  const daemon = startDaemon(folder, "registry", ["docker-registry", "serve", file]);
  const url = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/v2/`;
  const trust = tls === undefined ? {} : { tls: { ca: await Bun.file(tls.ca).text() } };
  await ready("the registry", async () => [200, 401].includes((await fetch(url, trust)).status), [daemon]);
  return {
    host: `127.0.0.1:${port}`,
    user: user ?? null,
    log: daemon.log,
    async end() {
      await daemon.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
