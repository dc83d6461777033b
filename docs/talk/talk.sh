#!/bin/sh
# Plays the talk with the given nats binary: a hub, a laptop as its leaf node and thirty devices on this machine, each
# command line and its real output. WORLD is the program of internal/talk/world, which makes the accounts.
# It touches nothing outside a temporary directory, leaves nothing running, and ends with 1 when an output is not as expected.
set -eu

[ $# -eq 2 ] || { echo "usage: talk.sh PATH-TO-NATS PATH-TO-WORLD" >&2; exit 2; }
story=talk
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
world=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
. "$here/../demo/lib.sh"

# fed plays a command line with TEXT on its standard input.
fed() {
	text=$1
	shift
	printf '$ echo %s | ' "'$text'"
	typed "$@" | sed 's/^\$ //'
	if printf '%s\n' "$text" | nats "$@" >out 2>err; then code=0; else code=$?; fi
	cat out
	sed 's/^/  · /' err
	[ $code -eq 0 ] || { echo "talk: exit code $code" >&2; exit 1; }
}

# fails plays a command line that must end with CODE.
fails() {
	want=$1
	shift
	typed "$@"
	if nats "$@" >out 2>err </dev/null; then code=0; else code=$?; fi
	cat out
	sed 's/^/  · /' err
	[ $code -eq "$want" ] || { echo "talk: exit code $code, want $want" >&2; exit 1; }
}

# until_says TEXT repeats a command line until it says TEXT, and shows the last of them.
until_says() {
	text=$1
	shift
	n=0
	typed "$@"
	until nats "$@" >out 2>err </dev/null && cat out err | grep -qF -- "$text"; do
		n=$((n + 1))
		if [ $n -gt 100 ]; then
			cat out err
			echo "talk: it does not say: $text" >&2
			exit 1
		fi
		sleep 0.1
	done
	cat out
	sed 's/^/  · /' err
}

# until_fails repeats a command line until it fails, and shows the last of them.
until_fails() {
	n=0
	typed "$@"
	while nats "$@" >out 2>err </dev/null; do
		n=$((n + 1))
		[ $n -le 100 ] || { echo "talk: it does not fail" >&2; exit 1; }
		sleep 0.1
	done
	cat out
	sed 's/^/  · /' err
}

# end interrupts NAME and waits for its end.
end() {
	eval "kill -INT \$pid_$1; wait \$pid_$1"
	cat "$1.err"
}

# field is a string of the one line of JSON in a file.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2"; }

# lines ends the talk unless the last output has N lines.
lines() { [ "$(wc -l <out)" -eq "$1" ] || { echo "talk: $(wc -l <out) lines, want $1" >&2; exit 1; }; }

title 'The hub: accounts by JWT, JetStream domain "cloud", websockets, a door for leaf nodes'
"$world" make "$home/world"
cd world
beside hub server run hub --config hub.conf --json
await hub '"pid"'
cat hub.err
hub=$(field url hub.out)
run context add cloud --server "$hub" --creds ops.creds --select
run context add devices --server "$hub" --creds device.creds
run context add system --server "$hub" --creds sys.creds
run stream add survey --subjects 'survey.>' --defaults
run kv add config --history 16
run fleet init
fed '{"chart_color":"#0000ff"}' kv put config all

title 'How far is the hub?'
run rtt
expect "$hub"

title 'Publish and subscribe'
beside sub sub 'hello.*' --count 1
await sub 'Subscribing on'
run pub hello.world 'Hello, edge!'
show sub
expect 'Hello, edge!'

title 'How fast?'
run bench pub hello.bench --msgs 200000 --size 16 --no-progress
expect 'msgs/sec'

title 'Thirty devices'
beside devices fleet simulate --devices 30 --context devices
await devices '30 devices'
run micro list
expect 'qcon'
run micro stats qcon
expect 'device_info' 'nickname'
run fleet ls --names
lines 30

title 'One answers: a nickname, piped into a publish'
beside nick sub hello.nickname --count 1
await nick 'Subscribing on'
printf '$ nats request qcon.nickname "" --raw | nats pub hello.nickname\n'
nats request qcon.nickname '' --raw 2>/dev/null | nats pub hello.nickname
show nick

title 'A survey that is stored, and replayed'
run stream list
expect 'survey'
for color in red blue red; do run pub survey.color "$color" -J; done
run sub --stream survey --all --terminate-at-end
expect 'stream: survey seq: 3' 'blue'

title 'All answer: who is there?'
run request qcon.device_info '' --replies 0 --raw
lines 30
fed '{"os":{"name":"Android"}}' request qcon.device_info --replies 0 --raw
expect 'Android'

title 'Configuration'
fed '{"chart_color":"#ff0000"}' kv put config all
until_says 'current' fleet config state
run fleet config get
run kv del config all --force

title 'A live query, and a command for a device that is away'
run fleet query 'os.name == "Android" && memory > 4e9'
expect 'Android'
fails 2 fleet query 'memory > "4e9"'
beside agent fleet agent --context devices --id gateway --state gateway --allow uname
await agent 'Connected'
until_says 'gateway' fleet ls --names
run fleet command send --device gateway --wait --output -- uname
expect 'done' "$(uname)"
fails 1 fleet command send --device gateway --wait --output -- reboot
expect 'refused'
end agent
run fleet command send --device gateway --id later -- uname -m
until_says 'queued' fleet command status later
beside agent fleet agent --context devices --id gateway --state gateway --allow uname
until_says 'done' fleet command status later --output
end agent

title 'A laptop joins as a leaf node, JetStream domain "leaf"'
beside laptop server run laptop --port=-1 --websocket=-1 --token edge --leaf "$(field leaf_url hub.out)" --leaf-creds leaf.creds --js-domain leaf --json
await laptop '"pid"'
cat laptop.err
leaf=$(field url laptop.out)
edge=$(echo "$leaf" | sed 's,//,//edge@,')
until_says 'No Streams' stream list --js-domain leaf

title 'The devices move to it: no data there. They move back'
fed "$edge" request qcon.advertise --replies 0 --raw
lines 30
until_says 'laptop' fleet ls
run fleet query 'trouble contains "no bucket config"' --count --expect 30
expect '30'
run request qcon.advertise '' --replies 0 --raw
lines 30
until_says '30' fleet query 'server == "hub"' --count --expect 30

title 'Mirror the stream and the bucket into the domain "leaf"'
cat >mirror.json <<'M'
{"name": "survey", "mirror": {"name": "survey", "external": {"api": "$JS.cloud.API"}}, "allow_direct": true, "mirror_direct": true}
M
echo '$ cat mirror.json'
cat mirror.json
run stream add --config mirror.json --js-domain leaf
run kv add config --mirror config --mirror-domain cloud --js-domain leaf
until_says '3' stream list --js-domain leaf
run kv list --js-domain leaf
expect 'config'

title 'Move again: it works'
fed '{"chart_color":"#ffaa00"}' kv put config all
run fleet move "$edge" --where 'labels.simulated == "true"' --force
until_says '30' fleet query 'server == "laptop"' --count --expect 30
until_says '30 current' fleet config state

title 'The hub revokes the credentials of the laptop: local work goes on'
echo '$ world revoke leaf; nats --context system request $SYS.REQ.CLAIMS.UPDATE < account.jwt'
"$world" revoke "$home/world" leaf
nats --context system request '$SYS.REQ.CLAIMS.UPDATE' <account.jwt >out 2>err
expect 'jwt updated'
until_fails micro list
run --context laptop micro list
expect 'qcon'
run --context laptop fleet query 'os.name == "Android"' --count
fed '{"chart_color":"#00ff00"}' kv put config all
run --context laptop kv get config all --raw
expect '#ffaa00'

title 'The credentials are restored: everything syncs'
echo '$ world restore; nats --context system request $SYS.REQ.CLAIMS.UPDATE < account.jwt'
"$world" restore "$home/world"
nats --context system request '$SYS.REQ.CLAIMS.UPDATE' <account.jwt >out 2>err
expect 'jwt updated'
until_says '#00ff00' kv get config all --raw --js-domain leaf
until_says '30 current' fleet config state
run micro list
expect 'qcon'

title 'Everything that moves'
run sub '>' --count 5
expect 'metrics.'

title 'Store at the edge, forward to the cloud'
run stream add metrics --subjects 'metrics.>' --js-domain leaf --defaults
cat >source.json <<'M'
{"name": "global_metrics", "sources": [{"name": "metrics", "external": {"api": "$JS.leaf.API"}}]}
M
echo '$ cat source.json'
cat source.json
run stream add --config source.json
until_says 'metrics.' stream subjects global_metrics
echo '$ world revoke leaf; nats --context system request $SYS.REQ.CLAIMS.UPDATE < account.jwt'
"$world" revoke "$home/world" leaf
nats --context system request '$SYS.REQ.CLAIMS.UPDATE' <account.jwt >out 2>err
until_fails micro list
behind=$(nats stream info global_metrics --jq .state.messages)
n=0
until [ "$(nats --context laptop stream info metrics --jq .state.messages)" -ge $((behind + 60)) ]; do
	n=$((n + 1))
	[ $n -le 100 ] || { echo "talk: nothing is stored while the hub is away" >&2; exit 1; }
	sleep 0.1
done
run --context laptop stream info metrics --jq .state.messages
"$world" restore "$home/world"
nats --context system request '$SYS.REQ.CLAIMS.UPDATE' <account.jwt >out 2>err
end devices
stored=$(nats --context laptop stream info metrics --jq .state.messages)
echo "the leaf has stored $stored; the hub had $behind when it was cut off"
until_says "$stored" stream info global_metrics --jq .state.messages

title 'Done'
