/** Container engines by their command lines: podman and docker alike. */
export { ENGINES, type Engine, findEngine } from "./engine.ts";
export { type Profile, readProfile } from "./profiles.ts";
