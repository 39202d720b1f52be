#!/bin/sh
# Example 1: a web application. Planned on Monday, built by three agents in parallel, reviewed on Tuesday.
# Run it in a repository of your own:  sh path/to/examples/01-web-application.sh
set -eu

# Monday morning: make a plan. On a terminal, without --no-input, this begins a session in which you discuss the plan
# and change it; everything that the session can do is also a command, as below.
orchestrate plan --no-input "Build a task management app with React frontend and FastAPI backend"

# A plan is named by its goal; a beginning of the name is enough.
orchestrate plan add build-a-task "Set up PostgreSQL database with user and task tables" --id database
orchestrate plan add build-a-task "Create FastAPI CRUD endpoints for tasks" --id endpoints --after database
orchestrate plan add build-a-task "Build React components for task list and forms" --id components --after endpoints \
    --accept "The list shows loading, empty and error states"
orchestrate plan split build-a-task components "Build the task list in React" "Build the task form in React"

# What runs in which phase, and what in parallel. Nothing of it can run before you approve it.
orchestrate plan show build-a-task
orchestrate plan approve build-a-task

# What an agent will be told, before it is told: the goal, the task, the role, what it builds on, how to finish.
orchestrate task database --brief

# Monday afternoon: three agents at once, each in a worktree and on a branch of its own.
orchestrate run --max-agents 3

# Tuesday morning: what is there, the riskiest first; accept it, and have it rebased onto orch/integration.
orchestrate status
orchestrate review --list
orchestrate approve --all --force       # --force: this example has no checks that could have passed
orchestrate merge
git log --oneline orch/integration
