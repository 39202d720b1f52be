#!/bin/sh
# Example 3: a machine learning system. A plan with its own ids, approved and run in one go, looked at from outside.
# Run it in a repository of your own:  sh path/to/examples/03-machine-learning.sh
set -eu

orchestrate plan --no-input "Build a customer churn prediction system"

# The roles are yours to choose, too; an analysis and a service that nothing else waits for can run side by side.
orchestrate plan add build-a-customer "Explore what churned customers have in common" --id churn-analysis \
    --role data-science-analyst
orchestrate plan add build-a-customer "Train the churn model" --id churn-model-training --after churn-analysis \
    --role ml-systems-architect --priority high --accept "The metric is compared with a baseline"
orchestrate plan add build-a-customer "Serve churn predictions by a REST API" --id churn-serving \
    --after churn-model-training

# As a picture for a README or a review: mermaid, dot, json or toml.
orchestrate plan show build-a-customer --format mermaid
orchestrate plan approve build-a-customer --run

# From any shell, also while it runs: who works on what, and everything about one task.
orchestrate agents
orchestrate task churn-model-training

# What an agent handed over at its end; the agents that build on it have it in their brief.
orchestrate context show churn-model-training
