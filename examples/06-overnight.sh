#!/bin/sh
# Example 6: from Friday evening to Monday morning. A plan, approved once, as many agents as the machine bears.
# Run it in a repository of your own:  sh path/to/examples/06-overnight.sh
set -eu

# Before leaving work on Friday. A plan can be changed as one TOML file, too: orchestrate plan edit PLAN
orchestrate plan --no-input "Implement complete admin dashboard with user management, analytics, and reporting"
orchestrate plan add implement-complete "Audit log of what administrators change" --id audit-log \
    --role backend-systems-engineer
orchestrate plan approve implement-complete

# A fix that came in late takes its turn before everything else that waits.
orchestrate submit "URGENT: Fix memory leak in payment processing service" --agent backend-systems-engineer --priority high

# Eight at once; start nothing new after seven. With --detach it continues in the background: orchestrate watch
orchestrate run --max-agents 8 --until "${UNTIL-07:00}"

# Monday morning: see what needs your attention. Your own branch has not changed yet.
orchestrate status
orchestrate approve --all --force       # no checks are configured here; --force says that you know
orchestrate merge
git diff --stat HEAD...orch/integration
git status --short
