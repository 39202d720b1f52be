#!/bin/bash
# Make what is in this folder: one night of the version of COMMIT, in /tmp/shop.
#
#   git archive COMMIT | tar x -C SOURCE; python3 -m venv VENV; VENV/bin/pip install SOURCE
#   bash night.sh VENV DATE-COMMIT
set -e
program=$(realpath "$1")/bin/orchestrate
here=$(dirname "$(realpath "$0")")/$2
scratch=$(mktemp -d)
export HOME=$scratch GITORCH_SANDBOX_MODE=off
trap 'rm -rf "$scratch" /tmp/shop /tmp/shop.orch' EXIT
mkdir /tmp/shop
cd /tmp/shop
git init -q -b main
git config user.name Ada
git config user.email ada@example.org
cat > agent.sh <<'A'
case $GITORCH_TASK in
question*) echo "Should it be SQLite or Postgres?";;
broken*) exit 3;;
*) echo "$GITORCH_TASK" > $GITORCH_TASK.txt; git add -A; git commit -qm "Add $GITORCH_TASK"; echo "Added $GITORCH_TASK.txt";;
esac
A
cat > .orchestrate.toml <<'A'
agent = "script"
[checks]
test = "test -f agent.sh"
[agents.script]
kind = "command"
command = ["sh", "/tmp/shop/agent.sh"]
[sandbox]
mode = "off"
A
git add -A
git commit -qm "A shop"
o() { "$program" --no-input "$@" < /dev/null; }
o config trust --yes
o submit "Merged one" --priority high
for title in "Sent back" "Approved one" "Rejected one" "Broken one" "Question one"; do o submit "$title"; done
o run || true # one task fails
o comment sent-back agent.sh:2 -m "Say it shorter"
o comment sent-back -m "And test it"
o revise sent-back
o approve merged-one
o merge
o approve approved-one
o reject rejected-one -m "Not needed"
o submit "Waits for another" --after approved-one --check "true" --role backend-systems-engineer
o plan "Build a REST API with authentication"
o plan "Build a shop with a cart and a search"
o plan add build-a-rest-api-with-authentication "Write a client library"
o context add "Sessions are in redis"
o submit "Undone one"
o undo
mkdir -p "$here/state"
git bundle create -q "$here/repository.bundle" --all
cd .git/gitorch
for name in tasks.toml tasks.toml.prev operations.jsonl runs.jsonl journal plans context forecast.json candidate.json; do
  [ ! -e $name ] || cp -r $name "$here/state/"
done
find "$here" -name "*.lock" -delete
