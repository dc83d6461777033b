package docgen

import "strings"

// Shells are the shells that Completion writes scripts for.
var Shells = []string{"bash", "zsh", "fish", "powershell"}

// Completion is the completion script for one of the Shells, empty for others: it asks the program itself, word by word, so
// that it knows what the program knows. program is its name. What the program answers is data, since names of streams and
// keys are chosen by strangers: no script gives it to its shell to expand.
func Completion(shell, program string) string {
	script := map[string]string{"bash": bash, "zsh": zsh, "fish": fish, "powershell": powershell}[shell]
	return strings.ReplaceAll(script, "PROGRAM", program)
}

// The words are put together again first: bash breaks them at : and =, which are within URLs and --flag=value. Only what is
// behind the last such break is replaced by a candidate.
const bash = `# Completion of PROGRAM for bash: source <(PROGRAM completion bash)
_PROGRAM_bash_autocomplete() {
    local line="${COMP_LINE:0:COMP_POINT}" cur="" word="" rest="" i=0 n=0 done_part=""
    local -a words
    words=()
    COMPREPLY=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        rest="${line#"${line%%[![:space:]]*}"}"
        word="${COMP_WORDS[i]}"
        if ((i == COMP_CWORD)); then word="$rest"; fi
        if ((i == 0)) || [[ "$rest" != "$line" ]]; then
            words[n]="$word"
            n=$((n + 1))
        else
            words[n - 1]+="$word"
        fi
        cur="$word"
        line="${rest#"$word"}"
    done
    if [[ "$cur" == "=" || "$cur" == ":" ]]; then cur=""; fi
    word="${words[n - 1]}"
    done_part="${word%"$cur"}"
    for ((i = 1; i < n; i++)); do
        if [[ "${words[i]}" == [\"\']* ]]; then
            words[i]="${words[i]#[\"\']}"
            words[i]="${words[i]%[\"\']}"
        fi
    done
    word="${words[n - 1]}"
    while IFS= read -r rest; do
        if [[ "$rest" != "$word"* ]]; then continue; fi
        rest="${rest#"$done_part"}"
        if [[ "$rest" == *[!A-Za-z0-9_.,:=@%+/-]* ]]; then printf -v rest '%q' "$rest"; fi
        COMPREPLY+=("$rest")
    done < <(command "${COMP_WORDS[0]}" --completion-bash "${words[@]:1}" 2>/dev/null </dev/null)
    return 0
}
complete -F _PROGRAM_bash_autocomplete -o default PROGRAM
`

const zsh = `#compdef PROGRAM
# Completion of PROGRAM for zsh: PROGRAM completion zsh > a directory of $fpath/_PROGRAM, or source <(PROGRAM completion zsh)
_PROGRAM() {
    local line
    local -a names shown
    while IFS= read -r line; do
        names+=("${line%%$'\t'*}")
        if [[ "$line" == *$'\t'* ]]; then
            shown+=("${line%%$'\t'*}  -- ${line#*$'\t'}")
        else
            shown+=("$line")
        fi
    done < <(command "${(Q)words[1]}" --completion-described "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)
    if (( ${#names} )); then
        compadd -l -d shown -a names
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_PROGRAM" ]; then
    _PROGRAM "$@"
else
    compdef _PROGRAM PROGRAM
fi
`

const fish = `# Completion of PROGRAM for fish: PROGRAM completion fish > ~/.config/fish/completions/PROGRAM.fish
function __PROGRAM_complete
    set -l words (commandline -opc)
    command PROGRAM --completion-described $words[2..-1] (commandline -ct | string unescape) 2>/dev/null </dev/null
end
complete -c PROGRAM -f -a '(__PROGRAM_complete)'
complete -c PROGRAM -F -n 'not __PROGRAM_complete | string length -q'
`

const powershell = `# Completion of PROGRAM for PowerShell: PROGRAM completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName PROGRAM -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { if ($null -ne $_.Value) { [string]$_.Value } else { $_.ToString() } })
    if ($wordToComplete -eq '') { $words += '' }
    & PROGRAM --completion-described @words 2>$null | ForEach-Object {
        $name, $about = $_ -split "` + "`t" + `", 2
        if (-not $name.StartsWith($wordToComplete, [StringComparison]::Ordinal)) { return }
        if (-not $about) { $about = $name }
        $text = if ($name -match '^[A-Za-z0-9_.:=@%+/-]+$') { $name } else { "'" + $name.Replace("'", "''") + "'" }
        [System.Management.Automation.CompletionResult]::new($text, $name, 'ParameterValue', $about)
    }
}
`
