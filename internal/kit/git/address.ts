import { RunnerError } from "../../protocol/errors.ts";

/** A user name and password that belong to one server. */
export interface GitLogin {
  /** `https://host:port`; git is told the login only when this server asks for one. */
  readonly origin: string;
  readonly username: string;
  readonly password: string;
}

export interface GitAddress {
  /** Without credentials: fit for argv, messages and disk. */
  readonly url: string;
  readonly login: GitLogin | null;
  /** Texts that must never be shown. */
  readonly secrets: readonly string[];
}

export type ExtraProtocol = "file" | "http";

/** `user@host:path`, as ssh takes it. No part may begin with a dash: ssh would read it as an option. */
const SCP_LIKE = /^(?:[A-Za-z0-9_.][A-Za-z0-9._-]*)@(?:[A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/|-)[^\s]+$/;

/**
 * Checks where a source comes from and takes the credentials out of its address. Allowed are https, ssh and
 * `user@host:path`; file and http only when the caller says so. Throws RunnerError `job`, never showing credentials.
 */
export function gitAddress(url: string, allow: readonly ExtraProtocol[] = []): GitAddress {
  if (url.startsWith("-") || /[\0-\x1f\x7f]/.test(url)) throw refused("it is not an address");
  if (SCP_LIKE.test(url) && !url.includes("::")) return { url, login: null, secrets: [] };
  const parsed = URL.parse(url);
  if (!parsed) {
    if (allow.includes("file") && url.startsWith("/")) return { url, login: null, secrets: [] };
    throw refused("it is neither https://, ssh:// nor user@host:path");
  }
  const protocol = parsed.protocol.slice(0, -1);
  if (protocol !== "https" && protocol !== "ssh" && !allow.some((extra) => extra === protocol)) {
    throw refused(`the protocol ${protocol} is not allowed`);
  }
  if (protocol === "ssh") return sshAddress(parsed, url);
  const username = decode(parsed.username);
  const password = decode(parsed.password);
  const raw = [parsed.username, parsed.password];
  parsed.username = "";
  parsed.password = "";
  if (username === "" && password === "") return { url: parsed.href, login: null, secrets: [] };
  // One line each is how git is told.
  if (/[\0\r\n]/.test(username + password)) throw refused("its user name or password holds a line break");
  const encoded = Buffer.from(`${username}:${password}`).toString("base64");
  const secrets = [encoded, ...(password === "" ? [raw[0] ?? "", username] : [raw[1] ?? "", password])];
  return {
    url: parsed.href,
    login: { origin: parsed.origin, username, password },
    secrets: [...new Set(secrets.filter((secret) => secret !== ""))],
  };
}

function sshAddress(parsed: URL, url: string): GitAddress {
  if (parsed.password !== "") throw refused("ssh takes no password in the address");
  const parts = [decode(parsed.hostname), decode(parsed.username), decode(parsed.pathname).slice(1)];
  if (parsed.hostname === "" || parts.some((part) => part.startsWith("-") || /[\0-\x1f\x7f]/.test(part))) {
    throw refused("it is not an address");
  }
  return { url, login: null, secrets: [] };
}

/** Throws RunnerError `job` when git could take the ref for an option or for something else than one name. */
export function checkRef(ref: string): void {
  const odd = /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|(?:^|\/)\.|^[-/]|[/.]$|\.lock(?:$|\/)|^@$/;
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
