import { imageReference, plainHost } from "../containers/index.ts";
import type { ImageFact } from "./facts.ts";
import { type Facet, known, type SourceFact } from "./facts.ts";

/** Names that mean the same place are one name here, so that no spelling gets around a rule. */

/** What no pattern fits but `**`: an address that is not understood is never taken for one that is allowed. */
const ODD = "(not understood)";
const SCP = /^(?:[^@/:]+@)?([^/:@]+):(?!\/\/)(.+)$/;

/** `github.com/acme/app` of any address of that repository; a port stays, a login does not. */
export function gitPlace(url: string): string {
  const parsed = URL.parse(url);
  if (parsed !== null && parsed.host !== "")
    return placeOf(plainHost(parsed.host, parsed.protocol === "ssh:" ? "22" : "443"), parsed.pathname);
  if (url.startsWith("/")) return placeOf("file", url);
  if (parsed?.protocol === "file:") return placeOf("file", parsed.pathname);
  const [, host, path] = SCP.exec(url) ?? [];
  return host === undefined || path === undefined ? ODD : placeOf(plainHost(host), path);
}

function placeOf(host: string, path: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(path);
  } catch {
    return ODD;
  }
  const parts = plain.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || /[\0-\x20\x7f\\%]/.test(plain)) return ODD;
  const last = parts.pop()?.replace(/\.git$/, "");
  return [host.toLowerCase(), ...parts, ...(last === undefined ? [] : [last])].join("/");
}

interface Git {
  readonly url?: string | null | undefined;
  readonly ref?: string | null | undefined;
  readonly recurse_submodules?: boolean | null | undefined;
}
interface Registry {
  readonly LoginServer?: string | null | undefined;
  readonly Repository?: string | null | undefined;
}

/** Repositories of packed folders on the coordinator itself. */
const PACKED = /^sources\/[0-9a-f]{16}$/;

/** null: neither is named. A packed folder is one that the control plane of the runner itself serves. */
export function sourceFact(
  git: Git | null | undefined,
  registry: Registry | null | undefined,
  tag: string | null | undefined,
  controlPlane: readonly string[],
): SourceFact | null {
  if (git?.url)
    return {
      kind: "git",
      place: gitPlace(git.url),
      ref: git.ref || "HEAD",
      submodules: git.recurse_submodules ?? false,
    };
  if (!registry?.Repository) return null;
  const server = plainHost(bare(registry.LoginServer ?? ""));
  const [first = "", ...path] = bare(registry.Repository).split("/");
  const repository = [path.length > 0 ? plainHost(first) : first, ...path].join("/");
  if (controlPlane.includes(server) && PACKED.test(repository)) return { kind: "packed" };
  const place = server === "" || repository.startsWith(`${server}/`) ? repository : `${server}/${repository}`;
  return { kind: "oci", place, reference: tag ?? "" };
}

const bare = (text: string): string =>
  text
    .replace(/^https?:\/\//i, "")
    .replace(/\/+$/, "")
    .toLowerCase();

export function imageFact(image: string): ImageFact {
  try {
    const { host, repository, digest } = imageReference(image);
    return { place: `${host}/${repository}`, pinned: digest !== null };
  } catch {
    return { place: ODD, pinned: false };
  }
}

export const listed = <T>(items: readonly (T | null)[]): Facet<T> | null => {
  const found = items.filter((one) => one !== null);
  return found.length === 0 ? null : known(...found);
};
