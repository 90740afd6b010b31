/** Programs that jobs need, and the environment they get. */
export { buildConfig, buildConfigSchema, type ToolName } from "./build-config.ts";
export { platformName } from "./platform.ts";
export { type JobFolders, toolEnv } from "./tool-env.ts";
export { createToolFinder, type FoundTool, type ToolFinderOptions, type ToolLocator } from "./tool-finder.ts";
