/** Completion scripts for bash, zsh and fish, made from the commands and their options. */
import type { Command } from 'commander';
import { pathOf } from './help.js';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Node {
  /** Its words after `dropslot`. */
  path: string;
  commands: Word[];
  options: Word[];
}

interface Word {
  word: string;
  about: string;
  takesValue?: boolean;
}

/** The script that a shell reads: `source <(dropslot completion bash)`. */
export function renderCompletion(shell: Shell, program: Command): string {
  const nodes = nodesOf(program);
  return { bash: renderBash, zsh: renderZsh, fish: renderFish }[shell](nodes);
}

function nodesOf(program: Command): Node[] {
  const globals = optionsOf(program);
  const visit = (command: Command): Node[] => {
    const options = command === program ? globals : [...optionsOf(command), ...globals];
    const commands = command.commands.map((each) => ({
      word: each.name(),
      about: each.summary() || each.description(),
    }));
    const path = pathOf(command).slice(1).join(' ');
    return [{ path, commands, options }, ...command.commands.flatMap(visit)];
  };
  return visit(program);
}

function optionsOf(command: Command): Word[] {
  return command.options.map((option) => ({
    word: option.long ?? option.short!,
    about: option.description,
    takesValue: option.required || option.optional,
  }));
}

/** Groups of words, and after the last one files: arguments are organizations, addresses or files. */
function renderBash(nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, commands, options }) => {
    const words = [...commands, ...options].map(({ word }) => word).join(' ');
    return `    '${path}') words='${words}' ;;`;
  });
  return `# bash completion of dropslot: source <(dropslot completion bash)
_dropslot() {
  local current=\${COMP_WORDS[COMP_CWORD]} path='' word words skip=0
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ $skip = 1 ]; then skip=0; continue; fi
    case $word in
      --config | --data) skip=1 ;;
      -*) ;;
      *)
        case " $(_dropslot_words "$path") " in
          *" $word "*) path="\${path:+$path }$word" ;;
        esac ;;
    esac
  done
  words=$(_dropslot_words "$path")
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
_dropslot_words() {
  local words=''
  case $1 in
${cases.join('\n')}
  esac
  printf '%s' "$words"
}
complete -o filenames -F _dropslot dropslot
`;
}

function renderZsh(nodes: readonly Node[]): string {
  const item = ({ word, about }: Word) => `'${word}:${about.replace(/\s+/g, ' ').replace(/'/g, "'\\''")}'`;
  const cases = nodes.map(
    ({ path, commands, options }) =>
      `    '${path}') commands=(${commands.map(item).join(' ')}); options=(${options.map(item).join(' ')}) ;;`,
  );
  return `#compdef dropslot
# zsh completion of dropslot: source <(dropslot completion zsh)
_dropslot_node() {
  case $1 in
${cases.join('\n')}
  esac
}
_dropslot() {
  local -a commands options
  local path_='' word
  integer skip=0
  _dropslot_node ''
  for word in \${words[2,CURRENT-1]}; do
    if (( skip )); then skip=0; continue; fi
    case $word in
      --config|--data) skip=1 ;;
      -*) ;;
      *) if (( \${commands[(I)$word:*]} )); then path_="\${path_:+$path_ }$word"; _dropslot_node "$path_"; fi ;;
    esac
  done
  if [[ $words[CURRENT] == -* ]]; then _describe option options
  elif (( \${#commands} )); then _describe command commands
  else _files
  fi
}
compdef _dropslot dropslot
`;
}

function renderFish(nodes: readonly Node[]): string {
  const quote = (text: string) => `'${text.replace(/\s+/g, ' ').replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
  const lines = nodes.flatMap(({ path, commands, options }) => {
    const when = quote(`__dropslot_at ${path}`.trim());
    return [
      ...commands.map(({ word, about }) => `complete -c dropslot -f -n ${when} -a ${quote(word)} -d ${quote(about)}`),
      ...options.map(
        ({ word, about, takesValue }) =>
          `complete -c dropslot -n ${when} -l ${word.replace(/^--/, '')}${takesValue ? ' -r' : ''} -d ${quote(about)}`,
      ),
    ];
  });
  const paths = nodes.map(({ path }) => quote(path)).join(' ');
  return `# fish completion of dropslot: dropslot completion fish | source
function __dropslot_at
    set -l known ${paths}
    set -l at ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --config --data
                set skip 1
            case '-*'
            case '*'
                set -l next (string trim "$at $word")
                contains -- $next $known; and set at $next
        end
    end
    test "$at" = "$argv"
end
${lines.join('\n')}
`;
}
