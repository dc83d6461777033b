#!/bin/sh
# Plays the demo with the given nats binary: every command line and its real output, against a server of its own.
# It touches nothing outside a temporary directory, leaves nothing running, and ends with 1 when an output is not as expected.
set -eu

[ $# -eq 1 ] || { echo "usage: demo.sh PATH-TO-NATS" >&2; exit 2; }
story=demo
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
. "$here/lib.sh"

title 'A server of our own'
beside server server run demo --port=-1 --monitor=-1
await server 'listening on'
cat server.err
export NATS_CONTEXT=demo

title 'Publish and subscribe'
beside sub sub 'hello.*' --count 1
await sub 'Subscribing on'
run pub hello.world 'Hello, edge!'
expect 'Published 12 bytes to "hello.world"'
show sub
expect '[#1] Received on "hello.world"' 'Hello, edge!'

title 'Request and reply'
beside reply reply device.time 'it is {{Time}}, you said {{Request}}'
await reply 'Listening on'
run request device.time 'hi there'
expect 'you said hi there'

title 'Micro services: three instances'
for i in 1 2 3; do
	beside "svc$i" micro serve qcon
	await "svc$i" 'waiting for requests'
done
run micro list
expect 'qcon' '1.0.0'
for i in 1 2 3 4 5 6; do run micro request qcon echo "ping $i" --raw; expect "ping $i"; done
run micro stats qcon
expect 'qcon Service Statistics'

title 'Scatter and gather'
for i in 1 2 3; do
	beside "dev$i" reply device.info "{\"device\":$i}" --queue "device-$i"
	await "dev$i" 'Listening on'
done
run request device.info --replies 0 --timeout 500ms
expect '{"device":1}' '{"device":2}' '{"device":3}'

title 'How fast is it?'
run rtt
expect 'nats://'
beside benchsub bench sub bench.demo --msgs 200000 --no-progress
await benchsub 'expecting 200,000 messages'
run bench pub bench.demo --msgs 200000 --size 16 --no-progress
expect 'msgs/sec'
show benchsub
expect 'msgs/sec'

title 'Streams'
run stream add survey --subjects 'survey.>' --defaults
expect 'Stream survey was created'
run pub survey.color red -J
expect 'Stored in Stream: survey Sequence: 1'
run pub survey.color blue -J
run sub --stream survey --all --terminate-at-end
expect '[#2] Received JetStream message: stream: survey seq: 2' 'blue'
run stream view survey
expect 'red' 'blue'
run stream ls
expect 'survey'

title 'Key-value'
run kv add config --history 5
beside watch kv watch config
await watch 'atching'
run kv put config all '{"chart_color":"#ff0000"}'
run kv put config all '{"chart_color":"#00ff00"}'
run kv history config all
expect 'PUT'
run kv revert config all 1 --force
run kv get config all --raw
expect '#ff0000'
await watch '#00ff00'
cat watch.out

title 'Contexts'
run context ls
expect 'demo'
unset NATS_CONTEXT
run context select demo
run context select demo_system
run context previous
run context ls
expect 'demo*'
run pub hello.again 'from the selected context'
expect 'Published'

title 'Done'
