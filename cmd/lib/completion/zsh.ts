import { type CommandFacts, type OptionFacts, type Takes, wordsOf } from "./facts.ts";

/** A zsh function on the standard completion system, as \`_runner\` in $fpath or by \`source <(…)\` after compinit. */
export function zshCompletion(commands: readonly CommandFacts[]): string {
  const { first, families } = wordsOf(commands);
  const top = first.map((word) => item(word, commands.find((one) => one.name === word)?.summary ?? `${word} commands`));
  const familyCases = [...families].map(([family, members]) =>
    [
      `    ${family})`,
      "      if (( CURRENT == 3 )); then",
      `        items=(${members.map((one) => item(one.name.split(" ")[1] ?? "", one.summary)).join(" ")})`,
      "        _describe command items; return",
      "      fi",
      '      command="$command $words[3]"; skip=3 ;;',
    ].join("\n"),
  );
  return `#compdef runner
# zsh completion of runner: save as _runner in a folder of $fpath, or source it after compinit
_runner() {
  local command="$words[2]" skip=2
  local -a items
  if (( CURRENT == 2 )); then
    items=(${top.join(" ")})
    _describe command items
    return
  fi
  case "$command" in
${familyCases.join("\n")}
  esac
  words=(runner "\${(@)words[skip+1,-1]}")
  (( CURRENT -= skip - 1 ))
  case "$command" in
${commands.map(commandCase).join("\n")}
  esac
}
if [[ "$funcstack[1]" == _runner ]]; then _runner "$@"; else compdef _runner runner; fi`;
}

const item = (word: string, summary: string) => `'${word}:${summary.replace(/['":\\`$]/g, "")}'`;

function commandCase({ name, options, operands }: CommandFacts): string {
  const specs = options.flatMap(optionSpecs);
  const rest = operands === null ? [] : [`'*:argument:${actionOf(operands)}'`];
  return `    "${name}") _arguments ${[...specs, ...rest].join(" ")} ;;`;
}

/** `--mode=[meaning]:value:(all install)` takes `--mode x` and `--mode=x`; a short one takes the next word. */
function optionSpecs({ names, summary, takes }: OptionFacts): string[] {
  return names.map((name) => {
    if (takes === "flag") return `'${name}[${summary}]'`;
    return `'${name}${name.startsWith("--") ? "=" : ""}[${summary}]:value:${actionOf(takes)}'`;
  });
}

function actionOf(takes: Takes): string {
  if (typeof takes === "object") return `(${takes.words.join(" ")})`;
  return takes === "file" ? "_files" : " ";
}
