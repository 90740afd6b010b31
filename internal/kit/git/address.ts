import { RunnerError } from "../../protocol/errors.ts";

export interface GitAddress {
  /** Without credentials: fit for argv, messages and disk. */
  readonly url: string;
  /** Environment that hands git the credentials; empty without any. */
  readonly config: Readonly<Record<string, string>>;
  /** Texts that must never be shown. */
  readonly secrets: readonly string[];
}

export type ExtraProtocol = "file" | "http";

/**
 * Checks where a source comes from and takes the credentials out of its address. Allowed are https, ssh and
 * `user@host:path`; file and http only when the caller says so. Throws RunnerError `job`, never showing credentials.
 */
export function gitAddress(url: string, allow: readonly ExtraProtocol[] = []): GitAddress {
  if (url.startsWith("-") || /[\0\n\r]/.test(url)) throw refused("it is not an address");
  if (/^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:(?!\/\/)[^\s]+$/.test(url) && !url.includes("::")) {
    return { url, config: {}, secrets: [] };
  }
  const parsed = URL.parse(url);
  if (!parsed) {
    if (allow.includes("file") && url.startsWith("/")) return { url, config: {}, secrets: [] };
    throw refused("it is neither https://, ssh:// nor user@host:path");
  }
  const protocol = parsed.protocol.slice(0, -1);
  if (protocol !== "https" && protocol !== "ssh" && !allow.some((extra) => extra === protocol)) {
    throw refused(`the protocol ${protocol} is not allowed`);
  }
  if (protocol === "ssh") {
    if (parsed.password !== "") throw refused("ssh takes no password in the address");
    if (parsed.hostname.startsWith("-")) throw refused("it is not an address");
    return { url, config: {}, secrets: [] };
  }
  const { username, password } = parsed;
  parsed.username = "";
  parsed.password = "";
  if (username === "" && password === "") return { url: parsed.href, config: {}, secrets: [] };
  const pair = `${decode(username)}:${decode(password)}`;
  const encoded = Buffer.from(pair).toString("base64");
  const key = `http.${parsed.origin}/.extraHeader`;
  const secrets = [encoded, password, decode(password), password === "" ? username : ""];
  return {
    url: parsed.href,
    config: { [key]: `Authorization: Basic ${encoded}` },
    secrets: secrets.filter((secret) => secret !== ""),
  };
}

/** Throws RunnerError `job` when git could take the ref for an option or for something else than one name. */
export function checkRef(ref: string): void {
  const odd = /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|\.lock$|^@$/;
  if (ref !== "" && odd.test(ref)) {
    throw new RunnerError("job", `the git ref ${JSON.stringify(ref)} is not valid`, {
      remedy: "name a branch, a tag or a full commit",
    });
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refused(why: string): RunnerError {
  return new RunnerError("job", `the git address is refused: ${why}`, {
    remedy: "use https://host/path, ssh://user@host/path or user@host:path",
  });
}
