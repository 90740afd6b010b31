import { COMMAND_NAMES } from "./commands.ts";

/** Commands that talk to a coordinator. */
export const OPERATOR = COMMAND_NAMES.filter((name) => /^(job|runners|workspaces|events|audit list)/.test(name));
