import { fail, type Result, RunnerError } from "../../protocol/errors.ts";
import { LATEST, readLatest } from "./latest.ts";
import { isReleaseVersion } from "./manifest.ts";
import type { ReleaseKey } from "./release-key.ts";
import { type HttpSourceOptions, openSource, type ReleaseSource } from "./source.ts";
import { SUMS } from "./sums.ts";
import { noRelease, type Release, readSmall, verifyRelease } from "./verify.ts";

export interface ReleaseQuery extends HttpSourceOptions {
  /** A release folder, or a folder of them (`BASE/<version>/…` and a signed `BASE/latest`); a path or an address. */
  readonly base: string;
  /** Exactly this one; null: the folder's own, or the one that `latest` names. */
  readonly version: string | null;
  readonly key: ReleaseKey;
}

/** Finds and verifies a release. Never another version than the one asked for. Errors as `verifyRelease`. */
export async function findRelease(query: ReleaseQuery): Promise<Result<Release>> {
  const { base, version, key } = query;
  const opened = openSource(base, query);
  if (!opened.ok) return opened;
  const source = opened.value;
  if (version === null) {
    const here = await verifyIfThere(source, key);
    return here ?? (await findLatest(source, key));
  }
  if (!isReleaseVersion(version)) return fail(noVersion(JSON.stringify(version), source.place));
  const below = await verifyIfThere(source.below(version), key);
  const found = below ?? (await verifyIfThere(source, key));
  if (found === null) return fail(noVersion(version, source.place));
  if (!found.ok || found.value.version === version) return found;
  // Below a folder of that name it is a mistake or an attack; else the base simply is another release.
  if (below === null) return fail(noVersion(version, source.place, `there is ${found.value.version}`));
  return fail(misplaced(found.value, version));
}

async function findLatest(source: ReleaseSource, key: ReleaseKey): Promise<Result<Release>> {
  const file = await readSmall(source, LATEST);
  if (!file.ok) return file;
  if (file.value === null) return fail(noRelease(source.place));
  const latest = readLatest(file.value.toString(), source.place, key);
  if (!latest.ok) return latest;
  const { version, sums } = latest.value;
  const found = await verifyRelease(source.below(version), key);
  if (!found.ok) return found;
  const meant = found.value.version === version && found.value.sumsSha256 === sums;
  return meant ? found : fail(otherSums(found.value));
}

/** null: there is no release. */
async function verifyIfThere(source: ReleaseSource, key: ReleaseKey): Promise<Result<Release> | null> {
  const sums = await readSmall(source, SUMS);
  if (!sums.ok) return sums;
  return sums.value === null ? null : verifyRelease(source, key);
}

function noVersion(version: string, place: string, instead?: string): RunnerError {
  return new RunnerError("usage", `there is no version ${version} at ${place}${instead ? `: ${instead}` : ""}`, {
    remedy: "Another version is never taken instead. Check the version and the base address.",
  });
}

function misplaced({ source, version }: Release, asked: string): RunnerError {
  return new RunnerError("policy", `${source.place} holds version ${version}, not ${asked}`, {
    remedy: "Another version is never taken instead. Fetch the release again from where it was published.",
  });
}

function otherSums({ source }: Release): RunnerError {
  return new RunnerError("policy", `${source.place} is not the release that \`latest\` was signed for`, {
    remedy: "Tell who keeps the releases: it was made again without `latest`, or changed for another.",
  });
}
