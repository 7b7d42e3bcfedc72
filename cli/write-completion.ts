import type { Command } from "commander";

/** A command with what may follow it: its own commands and options, and for an option that has choices those. */
interface Node {
  path: string;
  words: string[];
  choices: Record<string, readonly string[]>;
}

/** Completion for a shell, made of the commands themselves. Commands, options, and values that are one of a few; files for anything else. */
export function writeCompletion(program: Command, shell: "bash" | "zsh" | "fish"): string {
  const nodes = [...walk(program, "")];
  return { bash: writeBash, zsh: writeZsh, fish: writeFish }[shell](nodes);
}

function* walk(command: Command, path: string): Iterable<Node> {
  const options = [...command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => (long ? [long] : [])), "--help"];
  const inner = command.commands.map((each) => each.name());
  const values = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const choices = Object.fromEntries(command.options.flatMap(({ long, argChoices }) => (long && argChoices ? [[long, argChoices]] : [])));
  yield { path, words: [...inner, ...values, ...options], choices };
  for (const each of command.commands) yield* walk(each, `${path} ${each.name()}`.trim());
}

/** The words up to the cursor that name a command are followed down as far as they do. */
function writeBash(nodes: Node[]): string {
  const known = nodes.map(({ path, words }) => `    "${path}") words="${words.join(" ")}" ;;`);
  const values = nodes.flatMap(({ path, choices }) =>
    Object.entries(choices).map(([option, each]) => `    "${path} ${option}") COMPREPLY=($(compgen -W "${each.join(" ")}" -- "$word")); return ;;`),
  );
  return `# Completion of periscan for bash: source <(periscan completion bash)
_periscan() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path="" index next words=""
  for ((index = 1; index < COMP_CWORD; index++)); do
    next="\${path:+$path }\${COMP_WORDS[index]}"
    case "$next" in
      ${nodes
        .filter(({ path }) => path !== "")
        .map(({ path }) => `"${path}"`)
        .join("|")}) path="$next" ;;
    esac
  done
  case "$path $before" in
${values.join("\n")}
  esac
  case "$path" in
${known.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _periscan periscan ./periscan
`;
}

/** Zsh runs what was written for bash. */
const writeZsh = (nodes: Node[]): string => `#compdef periscan
autoload -U +X bashcompinit && bashcompinit
${writeBash(nodes)}`;

function writeFish(nodes: Node[]): string {
  const lines = nodes.flatMap(({ path, words, choices }) => {
    const seen = path === "" ? "__fish_use_subcommand" : `"__periscan_path '${path}'"`;
    const quote = (text: string) => `'${text}'`;
    return [
      `complete -c periscan -n ${seen} -a ${quote(words.join(" "))}`,
      ...Object.entries(choices).map(([option, each]) => `complete -c periscan -n ${seen} -l ${option.slice(2)} -x -a ${quote(each.join(" "))}`),
    ];
  });
  return `# Completion of periscan for fish: periscan completion fish > ~/.config/fish/completions/periscan.fish
function __periscan_path
  set -l words (commandline -opc)[2..]
  set -l wanted (string split ' ' -- $argv[1])
  test (count $words) -ge (count $wanted); and test "$words[1..(count $wanted)]" = "$wanted"
end
${lines.join("\n")}
`;
}
