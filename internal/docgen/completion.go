package docgen

import "strings"

// Shells are the shells that Completion writes scripts for, besides bash and zsh, whose scripts the parser brings.
var Shells = []string{"fish", "powershell"}

// Completion is the completion script for fish or powershell: it asks the program itself, word by word, so that it knows
// what the program knows. name is the program's.
func Completion(shell, name string) string {
	script := map[string]string{"fish": fish, "powershell": powershell}[shell]
	return strings.ReplaceAll(script, "PROGRAM", name)
}

const fish = `# Completion of PROGRAM for fish: PROGRAM completion fish > ~/.config/fish/completions/PROGRAM.fish
function __PROGRAM_complete
    set -l words (commandline -opc) (commandline -ct)
    command PROGRAM --completion-bash $words[2..-1] 2>/dev/null
end
complete -c PROGRAM -f -a '(__PROGRAM_complete)'
`

const powershell = `# Completion of PROGRAM for PowerShell: PROGRAM completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName PROGRAM -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    if ($wordToComplete -eq '') { $words += '' }
    & PROGRAM --completion-bash @words 2>$null |
        Where-Object { $_ -like "$wordToComplete*" } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`
