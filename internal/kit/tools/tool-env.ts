/** What of the runner's own environment a job may see. Tokens and everything else stay with the runner. */
const PASSED = ["PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"];
const PROXY = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

export interface JobFolders {
  /** Both inside the workspace of the execution; made by the caller. */
  readonly home: string;
  readonly tmp: string;
}

/**
 * The environment of a job's tools: an allow-list of `base`, a home and a temporary folder of its own, then `extra`,
 * which wins. Proxy variables are passed in the spelling they have.
 */
export function toolEnv(
  base: Readonly<Record<string, string | undefined>>,
  folders: JobFolders,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const names = [...PASSED, ...PROXY, ...PROXY.map((name) => name.toLowerCase())];
  const passed = names.flatMap((name) => {
    const value = base[name];
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  // Where git is built with GnuTLS it does not read SSL_CERT_FILE: one variable shall do for every tool.
  const forGit = base.SSL_CERT_FILE ? { GIT_SSL_CAINFO: base.SSL_CERT_FILE } : {};
  return { ...forGit, ...Object.fromEntries(passed), HOME: folders.home, TMPDIR: folders.tmp, ...extra };
}
