import { EXIT } from "../internal/protocol/errors.ts";
import type { Command } from "./lib/context.ts";

export const version: Command = async (context) => {
  context.out(context.values.json ? JSON.stringify({ version: context.version }) : context.version);
  return EXIT.done;
};
