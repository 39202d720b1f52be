# Completes `orchestrate`, `gitorch` and `git orchestrate` in fish.

function __orchestrate_complete
    set -l words (string replace -r '^\s*git\s+' '' -- (commandline -cp | string collect))
    set -l current (commandline -ct | string collect)
    for line in (env _ORCHESTRATE_COMPLETE=fish_complete COMP_WORDS="$words" COMP_CWORD="$current" orchestrate 2>/dev/null)
        switch $line
            case 'dir,*'
                __fish_complete_directories $current
            case 'file,*'
                __fish_complete_path $current
            case 'plain,*'
                string replace 'plain,' '' -- $line
        end
    end
end

function __orchestrate_in_git
    string match -qr '^\s*git\s+orchestrate\s' -- (commandline -cp | string collect)
end

complete --no-files --command orchestrate --arguments '(__orchestrate_complete)'
complete --no-files --command gitorch --arguments '(__orchestrate_complete)'
complete --no-files --command git --condition __orchestrate_in_git --arguments '(__orchestrate_complete)'
