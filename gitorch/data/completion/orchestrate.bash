# Completes `orchestrate`, `gitorch` and `git orchestrate` in bash.

_orchestrate_reply() { # words, index of the word to complete
    local IFS=$'\n' line
    COMPREPLY=()
    for line in $(COMP_WORDS=$1 COMP_CWORD=$2 _ORCHESTRATE_COMPLETE=bash_complete command orchestrate 2>/dev/null); do
        case $line in
        dir,*) compopt -o dirnames ;;
        file,*) compopt -o default ;;
        plain,*) COMPREPLY+=("${line#*,}") ;;
        esac
    done
    [[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace 2>/dev/null # the value of a setting follows
    return 0
}

_orchestrate() {
    local IFS=' '
    _orchestrate_reply "${COMP_WORDS[*]}" "$COMP_CWORD"
}

# git's own completion calls this for `git orchestrate`
_git_orchestrate() {
    local IFS=' ' start=${__git_cmd_idx:-1}
    _orchestrate_reply "${COMP_WORDS[*]:start}" "$((COMP_CWORD - start))"
}

complete -o nosort -F _orchestrate orchestrate gitorch
