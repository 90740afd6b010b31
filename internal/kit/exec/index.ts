/** Tools as processes that outlive the runner: spawn, find again, wait, stop (DESIGN section 4, invariants 3 and 4). */
export { readCode } from "./code-file.ts";
export { identify, isSame, type ProcessIdentity } from "./identity.ts";
export { createLimiter, type Limiter, sizeText } from "./limits.ts";
export { findTool, leaderWith, MARKER, membersOf } from "./members.ts";
export { bootId } from "./proc.ts";
export { resolveProgram } from "./resolve-program.ts";
export { type Run, type RunResult, runGroup } from "./run-group.ts";
export { type SpawnOptions, spawnTool } from "./spawn-tool.ts";
export { stopTool, sweep } from "./stop-tool.ts";
export { attachTool, type RunningTool } from "./wait-tool.ts";
