"""Bash's completion of ``tau``, made from its parsers: ``python3 -m tau.completion`` writes it, at the image's build.

Bash by itself is enough for it (Programmable Completion, bash(1)); the package bash-completion need not be there.
"""

import argparse
from collections.abc import Iterator

from tau.parsers import Command, commands

#: What a word is completed to, by what its argument is called.
_KINDS = {
    "ID": "app",
    "PERMISSION": "permission",
    "BUNDLE": "file",
    "FILE": "file",
    "FOLDER": "folder",
    "ARGUMENT": "file",
}
_TEXT = r"""# bash completion for tau(1), made from its parsers (tau.completion).
# What follows a command, and what an argument is: the how-manieth, each further one (+), all that follows (rest).
declare -A _tau_words=(
{words}
)
declare -A _tau_kinds=(
{kinds}
)

_tau() {{
    local line=${{COMP_LINE:0:COMP_POINT}} path=tau app='' index=0 number last word each kind value='' rest='' found=''
    local -a words
    COMPREPLY=()
    # Not COMP_WORDS: a permission's name has colons, at which bash divides words.
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=('')
    last=$((${{#words[@]}} - 1))
    word=${{words[last]}}
    if [[ $word =~ ^[0-9]*[\<\>] || $last -gt 1 && ${{words[last - 1]}} =~ ^[0-9]*[\<\>]+$ ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "${{word##*[<>]}}")
        return
    fi
    for ((number = 1; number < last; number++)); do
        each=${{words[number]}}
        if [[ -z $rest && $each == -* ]]; then
            kind=${{_tau_kinds[$path $each]-}}
            [[ -z $kind ]] || ((++number))
            [[ $number != "$last" ]] || value=$kind
        elif [[ $index == 0 && -n ${{_tau_words[$path $each]-}} ]]; then
            path="$path $each"
        else
            [[ ${{_tau_kinds[$path $index]-}} != app ]] || app=$each
            ((++index))
            rest=${{_tau_kinds[$path rest]-}}
        fi
    done
    kind=${{_tau_kinds[$path $index]-${{_tau_kinds[$path +]-$rest}}}}
    [[ -n $kind && ( -n $rest || $word != -* ) ]] || kind=words
    kind=${{value:-$kind}}
    case $kind in
    app) found=$(tau list 2>/dev/null | cut -d' ' -f1) ;;
    permission) found=$(tau permissions list ${{app:+"$app"}} 2>/dev/null | cut -d' ' -f3 | sort -u) ;;
    words) found=${{_tau_words[$path]-}} ;;
    none) ;;
    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    folder)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$word" | grep -Ev '(^|/)[.][^/]*$')
        ;;
    *) found=$kind ;;
    esac
    [[ -z $found ]] || mapfile -t COMPREPLY < <(compgen -W "$found" -- "$word")
    # Bash puts what is found in the place of what follows the last colon.
    [[ $word != *:* ]] || COMPREPLY=("${{COMPREPLY[@]#"${{word%"${{word##*:}}"}}"}}")
}}
complete -F _tau tau
"""


def text() -> str:
    """Return the file that bash reads."""
    every = list(commands())
    words = "\n".join(f"    ['{_path(each)}']='{' '.join(_words(each))}'" for each in every)
    kinds = "\n".join(f"    ['{key}']='{kind}'" for each in every for key, kind in _kinds(each))
    return _TEXT.format(words=words, kinds=kinds)


def _path(command: Command) -> str:
    return " ".join(("tau", *command.words))


def _words(command: Command) -> Iterator[str]:
    """The words that may follow: what it has inside, and its options."""
    yield from command.inner
    for action in command.arguments:
        yield from (option for option in action.option_strings if option.startswith("--"))
    yield "--help"


def _kinds(command: Command) -> Iterator[tuple[str, str]]:
    """What its arguments are, each by its place, or by the option that it follows."""
    index = 0
    for action in command.arguments:
        kind = " ".join(action.choices) if action.choices else _KINDS.get(str(action.metavar), "none")
        if action.option_strings:
            for option in action.option_strings if action.nargs != 0 else ():
                yield f"{_path(command)} {option}", kind
            continue
        several = {argparse.ONE_OR_MORE: "+", argparse.REMAINDER: "rest"}.get(str(action.nargs))
        yield f"{_path(command)} {several or index}", kind
        index += 1


if __name__ == "__main__":
    print(text(), end="")
