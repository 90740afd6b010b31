import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { suggest } from "../internal/protocol/suggest.ts";
import { bashCompletion } from "./lib/completion/bash.ts";
import { completionFacts, SHELLS, type Shell } from "./lib/completion/facts.ts";
import { fishCompletion } from "./lib/completion/fish.ts";
import { zshCompletion } from "./lib/completion/zsh.ts";
import { type Command, operand } from "./lib/context.ts";

const SCRIPT = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } satisfies Record<Shell, unknown>;

export const completion: Command = async (context) => {
  const word = operand(context);
  const shell = SHELLS.find((one) => one === word);
  if (shell === undefined) {
    const near = suggest(word, SHELLS);
    throw new RunnerError(
      "usage",
      `there is no completion for ${JSON.stringify(word)}; allowed: ${SHELLS.join(", ")}`,
      {
        remedy: near ? `Did you mean \`runner completion ${near}\`?` : "Use one of these shells.",
      },
    );
  }
  context.out(SCRIPT[shell](completionFacts()));
  return EXIT.done;
};
