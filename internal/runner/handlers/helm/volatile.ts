import { gunzipSync } from "node:zlib";

/** A function of templates that gives another value each time, inside of an action. */
const RANDOM =
  /\{\{[^}]*\b(rand\w+|gen(PrivateKey|CA|SelfSignedCert|SignedCert)\w*|uuidv4|now|htpasswd|bcrypt|derivePassword|encryptAES|shuffle)\b/;

/** Largest chart that is looked into, unpacked, in bytes. */
const LIMIT = 64 * 2 ** 20;

/** Whether a chart, a folder or packed, may render differently each time. Charts packed inside of it are not opened: they may. */
export async function mayBeVolatile(chart: string): Promise<boolean> {
  if (chart.endsWith(".tgz")) {
    try {
      const text = gunzipSync(await Bun.file(chart).bytes(), { maxOutputLength: LIMIT }).toString("latin1");
      return text.includes(".tgz\0") || RANDOM.test(text);
    } catch {
      return true;
    }
  }
  for await (const name of new Bun.Glob("**/*.{yaml,yml,tpl,txt,tgz}").scan({ cwd: chart })) {
    if (name.endsWith(".tgz") || RANDOM.test(await Bun.file(`${chart}/${name}`).text())) return true;
  }
  return false;
}
