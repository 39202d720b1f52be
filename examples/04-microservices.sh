#!/bin/sh
# Example 4: a monolith becomes services, in phases. Dependencies hold what agents build on; notes what they must know.
# Run it in a repository of your own:  sh path/to/examples/04-microservices.sh
set -eu

# Tell all agents of the run something before it begins. They read it, and add to it, by the same command.
orchestrate context add "Each service has its own database; no service reads another's tables."

# Phases are dependencies: the design first, the services in parallel on top of it, then what joins them.
orchestrate submit "Design the service contracts" --role specifications-engineer
for service in user order payment; do
    orchestrate submit "Extract the $service service" --paths "services/$service/**" --after design-the-service-contracts
done
orchestrate submit "Put an API gateway before the services" --priority low \
    --after extract-the-user-service --after extract-the-order-service --after extract-the-payment-service

# In which order, before anything starts.
orchestrate run --dry-run
orchestrate run

# Which decisions the agents told each other, and what the last one was given to build on.
orchestrate context list
orchestrate task put-an-api-gateway-before-the-services --brief
orchestrate status
