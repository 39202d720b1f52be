#!/bin/sh
# Example 5: one focused task, from the prompt to the merge. The seed's --agent takes a specialist's name, too.
# Run it in a repository of your own:  sh path/to/examples/05-quick-feature.sh
#
# CLI mode and API mode: the agent is the first of claude, codex and api that is ready. To use the Anthropic API with a
# key of yours and no program beside gitorch:  USE_API_MODE=true ANTHROPIC_API_KEY=... sh .../05-quick-feature.sh
set -eu

orchestrate submit "Add OAuth2 authentication to existing Flask app" --agent backend-systems-engineer --priority high
orchestrate run --max-agents 1

# Read it as a branch diff, say what you want different, and have it done again.
orchestrate diff add-oauth2-authentication-to-existing-flask-app
orchestrate revise add-oauth2-authentication-to-existing-flask-app -m "Say in the README how to register a client."
orchestrate run --max-agents 1

orchestrate approve add-oauth2-authentication-to-existing-flask-app --force     # no checks are configured here
orchestrate merge --dry-run
orchestrate merge
git log --oneline orch/integration
