import packageJson from "../../package.json" with { type: "json" };

/** Set by the build: version and commit. Run from source it is missing. */
declare const RUNNER_BUILD_VERSION: string | undefined;

export const VERSION: string =
  typeof RUNNER_BUILD_VERSION === "string" ? RUNNER_BUILD_VERSION : `${packageJson.version}+source`;
