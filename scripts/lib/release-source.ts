import { RunnerError } from "../../internal/protocol/errors.ts";
import { buildVersion, headCommit } from "./build.ts";
import { textOf } from "./spawn.ts";

/** What a release is made from. Read once: the checkout may move on while it is built. */
export interface Source {
  /** Full id; "": outside of git. */
  readonly commit: string;
  /** Of package.json, with the commit. */
  readonly version: string;
  /** RFC 3339: the time of the commit, or SOURCE_DATE_EPOCH. */
  readonly made: string;
  /** There are changes that no commit has. */
  readonly changed: boolean;
  /** Where it was cloned from, without credentials; null: nowhere that others can reach. */
  readonly origin: string | null;
}

/** Throws RunnerError usage for an unreadable SOURCE_DATE_EPOCH. */
export function readSource(): Source {
  const commit = headCommit();
  return {
    commit,
    version: buildVersion(commit),
    made: madeAt(commit),
    changed: (textOf(["git", "status", "--porcelain"]) ?? "") !== "",
    origin: publicOrigin(textOf(["git", "remote", "get-url", "origin"]) ?? ""),
  };
}

/** The time of the commit, so that the same source gives the same bytes; SOURCE_DATE_EPOCH (seconds) goes before it. */
function madeAt(commit: string): string {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && !/^\d{1,11}$/.test(given)) {
    throw new RunnerError("usage", `SOURCE_DATE_EPOCH is ${JSON.stringify(given)}, not seconds since 1970`);
  }
  const committed = commit === "" ? null : textOf(["git", "log", "-1", "--format=%ct", commit]);
  return new Date(Number(given ?? committed ?? "0") * 1_000).toISOString();
}

/** A path of this machine, a password or a token has no place in a release. */
export function publicOrigin(address: string): string | null {
  const ssh = /^(?:ssh:\/\/)?[\w.-]+@([\w.-]+)[:/](.+)$/.exec(address);
  const url = ssh ? URL.parse(`https://${ssh[1]}/${ssh[2]}`) : URL.parse(address);
  if (url === null || url.protocol !== "https:") return null;
  return `git+https://${url.host}${url.pathname}`;
}
