import { systemClock } from "../internal/kit/base/clock.ts";
import { EXIT } from "../internal/protocol/errors.ts";
import { type LogLine, logLine } from "../internal/protocol/operator.ts";
import { type Command, operand } from "./lib/context.ts";
import { followJob } from "./lib/follow.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { terminalText } from "./lib/terminal-text.ts";

export const jobLogs: Command = async (context) => {
  const client = operatorFrom(context.values);
  const id = operand(context);
  // Bytes for a file or a pipe as they are; a terminal gets no more than colours.
  const show = (text: string) => (process.stdout.isTTY ? terminalText(text, context.terminal.colour) : text);
  const line = (one: LogLine) => context.out(context.values.json ? JSON.stringify(one) : show(one.text));
  if (context.values.follow) {
    await followJob(client, id, { line, job: () => {} }, { clock: systemClock });
    return EXIT.done;
  }
  const text = await client.text(`/jobs/${encodeURIComponent(id)}/logs`);
  for (const record of text.split("\n")) if (record !== "") line(logLine.parse(JSON.parse(record)));
  return EXIT.done;
};
