/** Programs that jobs need, and the environment they get. */
export { buildConfig, type ToolName } from "./build-config.ts";
export { withFileLock } from "./file-lock.ts";
export { platformName } from "./platform.ts";
export { toolEnv } from "./tool-env.ts";
export { createToolFinder, type ToolFinderOptions } from "./tool-finder.ts";
export { readSums, type ToolSums } from "./tool-sums.ts";
export { createVersionReader, versionsFile } from "./tool-version.ts";
