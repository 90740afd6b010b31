/** Container engines by their command lines: podman and docker alike. */
export { type ContainerState, containerState, killContainer, removeContainer, takeBack } from "./container-state.ts";
export { type ContainerRequest, createArgv, type Mount } from "./create-argv.ts";
export { type Engine, findEngine, lastLine, saysEngineGone, unanswered } from "./engine.ts";
export { envCarriers } from "./env-file.ts";
export { type ImageFacts, imageFacts } from "./image-facts.ts";
export { type ImageReference, imageReference, plainHost } from "./image-reference.ts";
export { allowsImage, type Profile, readProfile, readProfiles } from "./profiles.ts";
export { authFile, explainPull, pullArgv } from "./pull.ts";
export { superviseArgv } from "./supervise.ts";
export { EXECUTION_LABEL, INSTANCE_LABEL, sweepContainers } from "./sweep.ts";
