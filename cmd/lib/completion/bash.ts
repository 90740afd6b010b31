import { type CommandFacts, type OptionFacts, type Takes, wordsOf } from "./facts.ts";

/** A bash function that needs nothing but bash itself (bash-completion not required). */
export function bashCompletion(commands: readonly CommandFacts[]): string {
  const { first, families } = wordsOf(commands);
  const familyCases = [...families].map(
    ([family, members]) => `    ${family}) words="${members.map((one) => one.name.split(" ")[1]).join(" ")}" ;;`,
  );
  return `# bash completion of runner: source <(runner completion bash)
_runner() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="\${COMP_WORDS[1]}" words="" options="" operands="" values=""
  COMPREPLY=()
  # "--mode=ins" comes as three words: --mode, =, ins
  if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=( $(compgen -W "${first.join(" ")} --help --version" -- "$cur") )
    return
  fi
  case "$command" in
${familyCases.join("\n")}
  esac
  if [[ -n $words ]]; then
    if (( COMP_CWORD == 2 )); then COMPREPLY=( $(compgen -W "$words --help" -- "$cur") ); return; fi
    command="$command \${COMP_WORDS[2]}"
  fi
  case "$command" in
${commands.map(commandCase).join("\n")}
  esac
  case "$values" in
    "") ;;
    :file) compopt -o filenames 2>/dev/null; COMPREPLY=( $(compgen -f -- "$cur") ); return ;;
    :text) return ;;
    *) COMPREPLY=( $(compgen -W "$values" -- "$cur") ); return ;;
  esac
  if [[ $cur == -* ]]; then COMPREPLY=( $(compgen -W "$options" -- "$cur") ); return; fi
  case "$operands" in
    "") ;;
    :file) compopt -o filenames 2>/dev/null; COMPREPLY=( $(compgen -f -- "$cur") ) ;;
    *) COMPREPLY=( $(compgen -W "$operands" -- "$cur") ) ;;
  esac
}
complete -F _runner runner`;
}

function commandCase({ name, options, operands }: CommandFacts): string {
  const names = options.flatMap((one) => one.names).join(" ");
  const valued = options.filter((one) => one.takes !== "flag").map(valueCase);
  return [
    `    "${name}")`,
    `      options="${names}"`,
    ...(operands === null ? [] : [`      operands="${wordsText(operands)}"`]),
    `      case "$prev" in`,
    ...valued,
    "      esac ;;",
  ].join("\n");
}

const valueCase = ({ names, takes }: OptionFacts) => `        ${names.join("|")}) values="${wordsText(takes)}" ;;`;

const wordsText = (takes: Takes) => (typeof takes === "object" ? takes.words.join(" ") : `:${takes}`);
