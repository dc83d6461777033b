# What the demo and the talk have in common: sourced with $bin, the nats binary, and $story, the name of the caller.
# Everything happens in a temporary directory, which is removed at the end with all that was started.
home=$(mktemp -d)
pids=
finish() {
	code=$?
	trap - EXIT INT TERM
	for p in $pids; do kill "$p" 2>/dev/null || true; done
	for p in $pids; do wait "$p" 2>/dev/null || true; done
	rm -rf "$home"
	exit $code
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$home"
export HOME="$home" XDG_CONFIG_HOME="$home/config" XDG_DATA_HOME="$home/data" NO_COLOR=1
for v in $(env | sed -n 's/^\(NATS_[A-Z_]*\)=.*/\1/p') LLMFORMAT TESTING; do unset "$v"; done
nats() { "$bin" "$@"; }

title() { printf '\n\033[1m── %s ──\033[0m\n' "$*"; }

# typed prints a command line as a person would type it.
typed() {
	printf '$ nats'
	for a in "$@"; do
		case $a in
		*[!A-Za-z0-9_./:=,@%+-]* | '') printf " '%s'" "$a" ;;
		*) printf ' %s' "$a" ;;
		esac
	done
	printf '\n'
}

# run plays a command line and shows what it says; its output is kept for expect.
run() {
	typed "$@"
	if nats "$@" >out 2>err </dev/null; then code=0; else code=$?; fi
	cat out
	sed 's/^/  · /' err
	[ $code -eq 0 ] || { echo "$story: exit code $code" >&2; exit 1; }
}

# expect ends the demo unless each text stands in the last output.
expect() {
	for text in "$@"; do
		cat out err | grep -qF -- "$text" || { echo "$story: the output does not say: $text" >&2; exit 1; }
	done
}

# beside starts a command line that listens; its output goes to NAME.out and NAME.err.
beside() {
	name=$1
	shift
	typed "$@" | sed 's/$/ \&/'
	"$bin" "$@" >"$name.out" 2>"$name.err" </dev/null &
	pids="$pids $!"
	eval "pid_$name=$!"
}

# await waits until NAME has said TEXT.
await() {
	n=0
	until cat "$1.out" "$1.err" 2>/dev/null | grep -qF -- "$2"; do
		n=$((n + 1))
		if [ $n -gt 200 ]; then
			echo "$story: $1 has not said: $2" >&2
			cat "$1.out" "$1.err" >&2
			exit 1
		fi
		sleep 0.05
	done
}

# show waits for the end of NAME and prints what it said; expect looks at it.
show() {
	eval "wait \$pid_$1"
	cp "$1.out" out
	cp "$1.err" err
	cat out
}
