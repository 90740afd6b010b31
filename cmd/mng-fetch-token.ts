import type { Command } from "./lib/context.ts";
export const mngFetchToken: Command = async () => 70;
