import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Certificates of one test cluster, made with openssl in a quarter of a second; files in `folder`. */
export function makePki(folder: string): void {
  const openssl = (...args: string[]) => {
    const done = Bun.spawnSync(["openssl", ...args], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    if (!done.success) throw new Error(`openssl ${args[0]}: ${done.stderr.toString()}`);
  };
  const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("genrsa", "-out", "sa.key", "2048");
  openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub");
  openssl("req", "-x509", ...EC, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=test-ca");
  const signed = (name: string, subject: string, extensions: string) => {
    writeFileSync(join(folder, `${name}.ext`), extensions);
    openssl("req", ...EC, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject);
    const ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...ca, "-out", `${name}.crt`, "-extfile", `${name}.ext`);
  };
  const names = "subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc";
  signed("server", "/CN=kube-apiserver", `${names}\nextendedKeyUsage=serverAuth\n`);
  signed("admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth\n");
}
