import packageJson from "../../package.json" with { type: "json" };

/** Set by the build. Run from source all of them are missing, in a build for development the target is. */
declare const RUNNER_BUILD_VERSION: string | undefined;
declare const RUNNER_BUILD_COMMIT: string | undefined;
declare const RUNNER_BUILD_TARGET: string | undefined;

export const VERSION: string =
  typeof RUNNER_BUILD_VERSION === "string" ? RUNNER_BUILD_VERSION : `${packageJson.version}+source`;

/** Full id of the commit; null: not known. */
export const COMMIT: string | null = typeof RUNNER_BUILD_COMMIT === "string" ? RUNNER_BUILD_COMMIT || null : null;

/** Name of the target in build-config.yaml, `linux-x64-musl`; null: not of a release. */
export const TARGET: string | null = typeof RUNNER_BUILD_TARGET === "string" ? RUNNER_BUILD_TARGET : null;
