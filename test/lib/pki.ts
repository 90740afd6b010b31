import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** A private authority made by openssl, and what it signs. Paths of PEM files. */
export interface Pki {
  readonly ca: string;
  /** A certificate for localhost and 127.0.0.1 unless other names are given. */
  issue(name: string, options?: { readonly days?: number; readonly names?: string }): { cert: string; key: string };
}

export const openssl = Bun.which("openssl");

export function makePki(folder: string): Pki {
  mkdirSync(folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  const run = (...args: string[]) => {
    const done = Bun.spawnSync([openssl ?? "openssl", ...args], { stdio: ["ignore", "ignore", "pipe"] });
    if (!done.success) throw new Error(`openssl ${args[0]}: ${done.stderr}`);
  };
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const extension = ["-addext", "basicConstraints=critical,CA:TRUE"];
  run(
    "req",
    "-x509",
    ...curve,
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
    "-subj",
    "/CN=test authority",
    ...extension,
  );
  return {
    ca: at("ca.pem"),
    issue(name, { days = 30, names = "DNS:localhost,IP:127.0.0.1" } = {}) {
      const [cert, key, request] = [at(`${name}.pem`), at(`${name}.key`), at(`${name}.csr`)];
      run(
        "req",
        ...curve,
        "-keyout",
        key,
        "-out",
        request,
        "-subj",
        `/CN=${name}`,
        "-addext",
        `subjectAltName=${names}`,
      );
      const signer = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-copy_extensions", "copy"];
      run("x509", "-req", "-in", request, ...signer, "-days", String(days), "-out", cert);
      return { cert, key };
    },
  };
}
