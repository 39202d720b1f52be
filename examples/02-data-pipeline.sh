#!/bin/sh
# Example 2: a data pipeline. One goal, broken into tasks for several specialists, without a question.
# Run it in a repository of your own:  sh path/to/examples/02-data-pipeline.sh
set -eu

# What would come of it? (Drawn up by a model where one is logged in, else by heuristics, which say that they are.)
orchestrate submit "Create an ETL pipeline to process daily sales data from S3 to Snowflake" --decompose --dry-run

# The same for good. You can add to it what only you know; its specialist is found by the words of the title.
orchestrate submit "Create an ETL pipeline to process daily sales data from S3 to Snowflake" --decompose
orchestrate submit "Set up S3 events and Lambda triggers" --context '{"bucket": "sales-raw", "region": "eu-central-1"}'

# Overnight, with higher parallelism: still, no task starts before what it builds on is finished.
orchestrate run --max-agents 5

# Next morning: the tasks, and everything that the night changed in one of them.
orchestrate status
orchestrate diff set-up-s3-events-and-lambda-triggers
