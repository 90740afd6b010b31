import { type CommandFacts, type OptionFacts, wordsOf } from "./facts.ts";

/** `complete` lines; conditions look at the words before the cursor. */
export function fishCompletion(commands: readonly CommandFacts[]): string {
  const { first, families } = wordsOf(commands);
  const summaryOf = (word: string) => commands.find((one) => one.name === word)?.summary ?? `${word} commands`;
  return [
    "# fish completion of runner: save as ~/.config/fish/completions/runner.fish",
    "function __runner_at",
    "  # Whether the words so far begin with these, and (with -e) end there",
    "  set -l words (commandline -opc)[2..-1]",
    '  if test "$argv[1]" = -e; set -e argv[1]; test (count $words) -eq (count $argv); or return 1; end',
    '  for i in (seq (count $argv)); test "$words[$i]" = "$argv[$i]"; or return 1; end',
    "  return 0",
    "end",
    "complete -c runner -f",
    ...first.map((word) => `complete -c runner -n '__runner_at -e' -a ${word} -d '${plain(summaryOf(word))}'`),
    ...[...families].flatMap(([family, members]) =>
      members.map(
        (one) =>
          `complete -c runner -n '__runner_at -e ${family}' -a ${one.name.split(" ")[1]} -d '${plain(one.summary)}'`,
      ),
    ),
    ...commands.flatMap(commandLines),
  ].join("\n");
}

function commandLines({ name, options, operands }: CommandFacts): string[] {
  const when = `complete -c runner -n '__runner_at ${name}'`;
  const rest =
    operands === null || typeof operands !== "object"
      ? operands === "file"
        ? [`${when} -F`]
        : []
      : [`${when} -a '${operands.words.join(" ")}'`];
  return [...options.map((one) => `${when} ${optionText(one)}`), ...rest];
}

function optionText({ names, summary, takes }: OptionFacts): string {
  const spelt = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(" ");
  const value =
    takes === "flag"
      ? ""
      : takes === "file"
        ? " -r -F"
        : takes === "text"
          ? " -x"
          : ` -x -a '${takes.words.join(" ")}'`;
  return `${spelt}${value} -d '${plain(summary)}'`;
}

const plain = (text: string) => text.replace(/['\\]/g, "");
