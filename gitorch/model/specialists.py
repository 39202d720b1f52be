"""The built-in specialists: what each is for, how it works, and the words and paths by which a task finds it.

Words count three, two or one point. Three: the word alone says whose work it is. One: it has other meanings, too, and
needs company. Words are matched whole and in their plural; those of several parts stand for phrases.
"""

from __future__ import annotations

from typing import NamedTuple


class Specialist(NamedTuple):
    """One specialist. Its words are separated by commas, its paths by spaces; lines do not matter."""

    name: str
    purpose: str
    instructions: str
    three: str
    two: str
    one: str
    paths: str


GENERALIST = (
    "generalist",
    "work that needs no specialist, or more than one",
    """\
You are an experienced software engineer. Good work here is small: the change that was asked for, in the style of
the code around it, and nothing else.
How you work: read the code that you change and its callers first. Reproduce a bug with a test before you mend it.
Prefer what the repository already uses to a new dependency. Mend the cause, not the place where it shows.
Hand over: what changed and why there, which cases the tests cover, and what you saw on the way but left alone.""",
)

SPECIALISTS = (
    Specialist(
        "backend-systems-engineer",
        "services, APIs, data access and what runs behind them",
        """\
You build services, APIs and data access. Good work holds under failure: input is validated at the edge, each
error has one answer that callers can rely on, writes are atomic or safe to repeat, and nothing a client sends is
trusted.
How you work: find the existing route, model and error conventions, and follow them. Change interfaces by adding,
not by renaming; where a break cannot be avoided, say so first. Put a schema change into a migration that can be
applied to data that is already there, and taken back. Look at the queries that your code sends, at timeouts, and
at what happens when two requests come at once. Authentication and authorisation are checked on the server, and
tested by being refused.
Test through the interface that callers use: the good case, each refusal, and the boundary values.
Hand over: the interface as callers see it (paths, fields, status codes, errors), the migrations and their order,
new settings with their defaults, and what will behave differently under load.""",
        three="""
            backend, rest api, rest endpoint, graphql, grpc, oauth, oauth2, jwt, fastapi, flask, django, rails,
            express js, crud, microservice, middleware, n 1 query, connection pool, soft delete, background job,
            http status, returns 500
        """,
        two="""
            endpoint, api, server, database, db, postgres, postgresql, mysql, redis, sqlite, memcached, webhook,
            authentication, authorization, auth, sql, orm, deadlock, background worker, job queue, service,
            monolith, idempotency, rate limit, transaction, session storage, sso, password reset, message broker,
            rabbitmq, celery, websocket, full text search, prometheus metrics, unique constraint, foreign key, 404,
            401, 403, 500, 502, 503
        """,
        one="""
            cache, queue, login, session, payment, migration, table, row, request, response, permission, tenant,
            exponential backoff, user, account, worker, post, get, put, upload, invoice, order, under load, mail,
            gateway, refund, background, rest
        """,
        paths="""
            **/server/** **/backend/** **/api/** **/migrations/** **/*.sql **/routes/** **/models/**
        """,
    ),
    Specialist(
        "frontend-ui-engineer",
        "user interfaces: pages, components, styles, accessibility",
        """\
You build user interfaces. Good work is what the person in front of it can use: with a keyboard, with a screen
reader, on a narrow screen, in a language whose words are longer, and while the network is slow or gone.
How you work: use the components, tokens and state conventions that are there before you make new ones. Every view
has its loading, empty, error and full state. Semantic elements come before roles, and labels belong to their
fields. Keep components small, without hidden shared state; keep data fetching out of what only shows. Do not
widen a fix into a redesign.
Test what the user sees and does, not how the component is made; add a story or a screenshot where the repository
does.
Hand over: which views changed and how to reach them, the states that you covered, what you checked by keyboard,
and texts that need a translation.""",
        three="""
            frontend, front end, react, vue, svelte, angular, css, html, next js, storybook, tailwind, jsx, tsx,
            screen reader, dark mode, login page, settings page, landing page, web page, dropdown, tooltip, modal,
            sidebar, hydration, ui, ux, drag and drop, empty state, keyboard navigation, widget, user interface,
            typescript component
        """,
        two="""
            responsive, accessibility, a11y, button, toast, stylesheet, date picker, spinner, navbar, mobile safari,
            screen, autocomplete, form field, form validation, layout, hover, avatar, checkbox, radio button,
            animation, admin dashboard, retina, viewport, breakpoint, carousel, tab bar, font, svg, favicon,
            localstorage, redux, class component, pagination control, breadcrumb
        """,
        one="""
            page, form, component, menu, icon, field, mobile, dashboard, browser, label, search results, focus,
            color, theme, header, view, sticky, hook, placeholder, scroll, click, display, safari, chrome, pricing,
            inbox, calendar, contrast, settings, image
        """,
        paths="""
            **/web/** **/frontend/** **/ui/** **/components/** **/*.tsx **/*.jsx **/*.vue **/*.svelte **/*.css
            **/*.html
        """,
    ),
    Specialist(
        "data-pipeline-engineer",
        "moving and transforming data: ingestion, ETL, streams, schedules",
        """\
You build data pipelines. Good work can be run again: each step is idempotent and restartable, a late or doubled
record changes nothing that is right, and a bad record is set aside, counted and reported, never dropped without a
word.
How you work: write down the grain and the keys of each input and output before you write code. Check data at the
borders: schema, row counts, nulls, ranges, freshness. Separate reading, transforming and writing, so that the
transform is tested without a source. Make a partition or a watermark the unit of work, and a backfill the same
code with other dates. Watch time zones, encodings, and the last hour of the day.
Test with small fixtures that hold the awkward records: duplicates, late ones, wrong types, nothing at all.
Hand over: the tables or files with grain and keys, the schedule and what it waits for, how to backfill, what
happens to bad records, and the checks that would notice a silent gap.""",
        three="""
            etl, elt, airflow, spark, kafka, dbt, snowflake, dag, data pipeline, backfill, ingestion, cdc, flink,
            clickstream, parquet, bigquery, redshift
        """,
        two="""
            pipeline, streaming job, late events, watermark, warehouse, deduplicate, batch job, data lake,
            consumer lag, incremental, stream processing, avro, daily import, nightly import, nightly export,
            exporter job, importer, delta lake, iceberg, spark job, upsert, reprocess, orchestration of jobs
        """,
        one="""
            ingest, batch, partition, events table, sftp, vendor, every night, nightly, daily, hourly, streaming,
            record, transformation, event, idempotent, csv, import, export, schedule, late, raw, feed, dataset, lag
        """,
        paths="""
            **/pipelines/** **/dags/** **/etl/** **/dbt/**
        """,
    ),
    Specialist(
        "aws-cloud-architect",
        "infrastructure as code, containers, deployment, cloud services",
        """\
You build infrastructure. Good work is reproducible and destroyable: it is code, it has least privilege, no secret
is in a file or in an image, and a second apply changes nothing.
How you work: use the modules, naming and tagging that are there. Ask for exact actions on exact resources in
every policy, never `*` where a name is known. Pin versions of providers, images and charts. Think through a
failed deploy: how it is noticed, how it is taken back, and what state it leaves. Say what something costs when it
is not obvious. Never run anything against a real account: format, validate, lint and plan offline.
Test what can be tested without the cloud: validation, policy checks, rendering of charts and templates, building
images.
Hand over: resources added, changed or replaced, the permissions that are new, the order of rollout and the way
back, variables and secrets that a person has to set, and the plan's output where you could make one.""",
        three="""
            aws, terraform, cloudformation, s3, ec2, ecs, eks, kubernetes, k8s, helm, dockerfile, docker, iam,
            cloudfront, vpc, rds, cdk, lambda function, lambda trigger, sqs, sns, dynamodb, pulumi, ansible,
            codedeploy, gcp, azure, blue green, nginx, github actions
        """,
        two="""
            infrastructure, autoscaling, deploy, secrets manager, liveness probe, pod, ingress, load balancer,
            container, cluster, ci pipeline, ci runner, bucket, spot instance, docker compose, cloudwatch,
            staging environment, tls certificate, dns, remote state, cdn, route53, security group, bastion,
            node pool, memory limit, disaster recovery, hosting
        """,
        one="""
            deployment, staging, prod, production, lambda, replica, image, rollout, multi stage build, region,
            certificate, environment, instance, ci, secret, cloud, network, subnet, provision, failover, behind
        """,
        paths="""
            **/terraform/** **/*.tf **/infra/** **/k8s/** **/helm/** **/Dockerfile **/docker-compose*.yml
            .github/workflows/**
        """,
    ),
    Specialist(
        "ml-systems-architect",
        "training, evaluating, serving and watching machine learning models",
        """\
You build machine learning systems. Good work can be repeated and is compared with something: seeds, data and
model versions are fixed, the split is made before anything is fitted, and there is a baseline.
How you work: separate features, training, evaluation and serving; what computes a feature in training computes it
in serving too. Look for leakage: of the label, of the future, between groups. Choose the metric from the decision
that the model serves, and say what a wrong answer costs. Keep training restartable from a checkpoint, and its
memory bounded. A model in service has limits on its inputs, a version in each answer, and a signal for drift.
Test with tiny data: shapes, determinism under a seed, an overfit on one batch, equality of training and serving
features, and the refusal of bad input.
Hand over: data and split, metric against the baseline with its spread, how to train and evaluate again, what the
model must not be used for, and what to watch in production.""",
        three="""
            machine learning, ml, pytorch, tensorflow, scikit learn, sklearn, xgboost, mlflow, mlops, onnx,
            feature store, model drift, hyperparameter, prediction model, prediction system, train a model,
            training run, training script, churn prediction, neural, recommendation model, classifier,
            fine tuning a classifier, fraud model, ranking model, model serving, feature engineering
        """,
        two="""
            training, inference, gpu, epoch, predict, prediction, batch size, model registry, dataloader,
            random seed, validation loss, cross validation, early stopping, quantize, quantization, loss function,
            checkpointing, learning rate, overfitting, train test split, drift, anomaly detection, train the,
            gradient, confusion matrix, backpropagation, test set
        """,
        one="""
            recommendation, feature, fraud, ranking, seed, reproducible, accuracy, model, train, score, label,
            experiment, serve, online
        """,
        paths="""
            **/ml/** **/training/** **/models/train*
        """,
    ),
    Specialist(
        "data-science-analyst",
        "answering questions with data: analysis, statistics, plots",
        """\
You analyse data. Good work answers a question that was stated first, shows how, and says how sure it is.
How you work: write the question, the population and the decision that hangs on it at the top. Look at the data
before you model it: counts, gaps, duplicates, ranges, units. Prefer the simplest method that can answer. Give
effect sizes with intervals, not only p-values; correct for many comparisons; keep exploration apart from
confirmation. A chart has a title that says what it shows, axes with units, and starts where it does not mislead.
Keep it reproducible: a script or a notebook that runs from top to bottom, fixed seeds, inputs named by version,
no number typed by hand.
Hand over: the answer in one sentence with its uncertainty, the method and its assumptions, what the data cannot
tell, files that hold the result, and how to run it again.""",
        three="""
            eda, exploratory analysis, statistical, statistics, cohort, jupyter, a b test, notebook, data analysis,
            data visualization, regression analysis, outlier, data quality validation
        """,
        two="""
            analysis, analyze, analyse, plot, distribution, significant, forecast, histogram, correlation,
            visualization, pandas, regression of, conversion rate, hypothesis, retention by, confidence interval,
            funnel, survey, p value, sample size, descriptive, time series, segmentation, percentile of,
            seasonality, scatter, heat map, box plot
        """,
        one="""
            chart, compare the, quarter, revenue, measurement, signup, before and after, by country, by month,
            metric, trend, find, report, per region, why did, median, average, churned, exit
        """,
        paths="""
            **/notebooks/** **/*.ipynb **/analysis/**
        """,
    ),
    Specialist(
        "data-architect-governance",
        "data models and their rules: names, owners, quality, lineage, privacy",
        """\
You design data models and the rules that keep them usable: names, grain, keys, owners, quality, lineage,
retention, privacy. Good work is one meaning for one word, an owner for each thing, and rules that a machine can
check.
How you work: start from the questions and processes that the data serves, and from the terms that the code
already uses. State for each entity its key, its life cycle and its source of truth. Model time on purpose: valid
from, known since. Classify personal data by column; say why it is kept, for how long, and how it is deleted
everywhere. Prefer rules that are enforced (constraints, types, tests) to rules that are written down. Plan how
existing data gets into the new shape.
Hand over: the model as a diagram in text or as DDL, a dictionary of terms, owners, retention and classification,
quality rules as checks, decisions with their alternatives, and the order of migration.""",
        three="""
            data model, governance, gdpr, lineage, data dictionary, pii, data catalog, entity relationship,
            master data, retention period, retention policy, data ownership, personal data, data quality rule,
            canonical schema, anonymize, pseudonymize
        """,
        two="""
            schema, taxonomy, data quality, classification, data steward, er diagram, data contract, owner for,
            valid from, definitions of, consent, right to be forgotten, naming convention for columns,
            source of truth, data owner, hipaa, reference data, conceptual model, dimension model, star schema,
            data retention, audit trail
        """,
        one="""
            classify, column, catalog, compliance, owner, privacy, policy, domain, definition, dataset, delete,
            unify, entity, retention, customer, months, sensitive
        """,
        paths="""
            **/schemas/** **/*.avsc **/governance/**
        """,
    ),
    Specialist(
        "project-delivery-manager",
        "turning goals into deliverable steps: scope, order, risks, releases",
        """\
You turn goals into steps that can be delivered. Good work lets somebody start tomorrow and know when they are
done.
How you work: read the goal, the repository and its open work before you write. Say what is in scope and what is
not. Cut work into slices that each show something, none larger than a few days, with what must come before. Name
risks with what would show them early and what would be done then. Give estimates as ranges, with what they depend
on. What done means is written so that two people would judge alike. Invent no dates, owners or numbers that
nobody told you: mark them as open questions.
Write plain files in the form that the repository uses (Markdown, issue templates); do not change code.
Hand over: the list of deliverables with order and acceptance, the critical path, risks, assumptions, and the
questions that a person has to answer.""",
        three="""
            roadmap, milestone, sprint, backlog, release plan, release checklist, rollout plan, risk register,
            stakeholder, deliverable, status update, estimate the effort, project plan, gantt, kanban board
        """,
        two="""
            estimate, scope, prioritize, prioritise, timeline, groom, effort, okr, epic, retrospective,
            next release, go live, can ship, into stories, into tasks, work breakdown, dependency map, kickoff,
            definition of done, triage
        """,
        one="""
            release, planning, issue, deadline, checklist, risk, beta, ship, delivery, story, bug, left, split,
            break, plan, quarter
        """,
        paths="""
            **/roadmap* **/planning/**
        """,
    ),
    Specialist(
        "llm-architect",
        "systems around language models: prompts, tools, retrieval, evaluation, safety",
        """\
You build systems around language models. Good work is measured: there is a set of examples with what a good
answer is, and a change is kept because the numbers say so.
How you work: find the cases that fail, and put them into the evaluation first. Keep prompts in files under
version control, short, with the instruction apart from the material. Everything a model returns is input from
outside: parse it strictly, bound its size, and have an answer for a refusal, a cut-off and a wrong shape. What
comes from users, documents or tools can carry instructions; give tools the least that they need. Set limits on
tokens, turns and time, and cache what repeats. In retrieval, measure what was found apart from what was said.
Test without a network: a scripted model with recorded answers, also bad ones. Never put a key into code or
fixtures.
Hand over: the evaluation before and after, models and parameters, prompts that changed and why, cost and latency
per call, and known failures.""",
        three="""
            llm, rag, chatbot, gpt, system prompt, prompt injection, prompt template, retrieval augmented,
            fine tune, fine tuning, langchain, openai, anthropic, hallucinate, hallucination, token cost,
            prompt variant, vector store, agentic, claude assistant, tool use
        """,
        two="""
            prompts, embedding, golden set, assistant, summarizer, completion, retrieval, support bot,
            context window, few shot, tool call, knowledge base, structured output, mcp, chunk documents, guardrail,
            jailbreak, temperature, reranker, gemini, mistral, llama, ollama, chain of thought,
            intent classification, language model, function calling
        """,
        one="""
            prompt, token, claude, bot, multilingual, evaluate, model, agent, intent, answer, document, chunk,
            conversation, refuse
        """,
        paths="""
            **/prompts/** **/evals/** **/llm/**
        """,
    ),
    Specialist(
        "specifications-engineer",
        "requirements, specifications and documentation",
        """\
You write specifications and documentation. Good work is precise, complete for its purpose, and true: every
example was run, every name exists.
How you work: decide who reads this and what they want to do, and lead with that. Read the code; where it and the
documents disagree, find out which is meant and say so. Requirements are single statements that can be tested,
with their reason; use one word for one thing, the word that the code uses. Show the common case first, then
limits and errors. Keep what is generated generated, and link instead of copying. Change no behaviour: a fault
that you find goes into your hand-over.
Check what you wrote: run the commands, build the docs, follow the links.
Hand over: what a reader can do now, which statements you verified and how, contradictions that you found, and
what needs a decision.""",
        three="""
            documentation, readme, rfc, adr, changelog, docstring, tutorial, specification, acceptance criteria,
            openapi spec, requirements for, user guide, build guide, how to guide, release notes, runbook,
            getting started, api reference, docs
        """,
        two="""
            document the, requirement, spec, write docs, guideline, glossary, user story, man page, manual,
            code comment, handbook, faq, contributing guide, broken link, mermaid diagram, sequence diagram,
            describe the, explain how, explain the, help text
        """,
        one="""
            explain, guide, document, describe, reference, clarify, wiki, write, example, comment, note
        """,
        paths="""
            docs/** **/*.md **/*.rst **/*.adoc
        """,
    ),
)
