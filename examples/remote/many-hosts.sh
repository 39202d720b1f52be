#!/bin/sh
# start a worker on each host that is named; they go on when this terminal closes
#     sh many-hosts.sh me@home host-1 host-2
set -eu
home=$1
shift
for host; do
    ssh "$host" "nohup orchestrate worker --join ssh://$home --slots 8 >worker.log 2>&1 </dev/null &"
done
