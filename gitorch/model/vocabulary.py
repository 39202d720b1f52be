"""The words and paths by which a task finds its specialist.

Words count five, three, two or one point. Five: it names what is to be delivered, whatever that is about. Three: it
alone says whose work it is. One: it has other meanings, too, and needs company. Words are matched whole and in their
plural; those of several parts stand for phrases.
"""

from __future__ import annotations

from typing import NamedTuple


class Vocabulary(NamedTuple):
    """The words of one specialist, separated by commas, and its paths, separated by spaces; lines do not matter."""

    three: str
    two: str
    one: str
    paths: str
    five: str = ""


VOCABULARIES = {
    "backend-systems-engineer": Vocabulary(
        three="""
            backend, rest api, rest endpoint, graphql, grpc, oauth, oauth2, jwt, fastapi, flask, django, rails, express
            js, crud, microservice, middleware, n 1 query, connection pool, soft delete, background job, http status,
            returns 500, openid, oidc, saml, ldap, spring boot, laravel, nestjs, sidekiq, hibernate, sqlalchemy, prisma,
            stored procedure, optimistic locking, pessimistic locking, database migration, alembic, csrf, event
            sourcing, cqrs, sql injection, cursor pagination, row lock, query plan, slow query, full table scan, socket
            io, activerecord, resolver, status code, api server, rate limiting
        """,
        two="""
            endpoint, api, server, database, db, postgres, postgresql, mysql, redis, sqlite, memcached, webhook,
            authentication, authorization, auth, sql, orm, deadlock, background worker, job queue, monolith,
            idempotency, rate limit, transaction, session storage, sso, password reset, message broker, rabbitmq,
            celery, websocket, full text search, prometheus metrics, unique constraint, foreign key, 404, 401, 403, 500,
            502, 503, quota, route, controller, cookie, logout, sign up endpoint, refresh token, access token, bearer
            token, api key, cors, rbac, 400, 409, 422, 429, 504, retry after, etag, http, payload, paginate, cursor,
            full scan, query timeout, lock timeout, statement timeout, enqueue, enqueued, mailer, smtp, mongodb, mongo,
            mariadb, cassandra, elasticsearch, opensearch, nats, mqtt, protobuf, soap, json rpc, two factor, 2fa, mfa,
            totp, access control, bulk insert, prepared statement, read replica, sharding, isolation level, request
            body, query parameter, multipart, file upload, signed url, server sent events, sse, circuit breaker,
            backpressure, dto, saga, stripe, paypal, clock skew, http header, api gateway, failed login, login attempt,
            double booking, request cycle, request handler, brute force, password hash, hashed password, background
            task, task queue, sign in, search index, connection leak, open connections, database connection
        """,
        one="""
            cache, queue, login, session, payment, migration, table, row, request, response, permission, tenant,
            exponential backoff, user, account, worker, post, get, put, upload, invoice, order, under load, mail,
            gateway, refund, background, rest, service, booking, lock, locking, hashed, concurrent, timeout, times out,
            retry, bulk, admin, signature, verification, header, cached, checksum, throttle, replication, cascade,
            checkout, billing, subscription, token, job, expired, invalidate, invalidated, cron, health check, swagger,
            openapi, sms, push notification, multi tenant
        """,
        paths="""
            **/server/** **/backend/** **/api/** **/migrations/** **/*.sql **/routes/** **/models/** **/services/**
            **/controllers/** **/handlers/** **/*.proto **/*.graphql
        """,
    ),
    "frontend-ui-engineer": Vocabulary(
        three="""
            date picker, navbar, frontend, front end, react, vue, svelte, angular, css, html, next js, storybook,
            tailwind, jsx, tsx, screen reader, dark mode, login page, settings page, landing page, web page, dropdown,
            tooltip, modal, sidebar, hydration, ui, ux, drag and drop, empty state, keyboard navigation, widget, user
            interface, typescript component, popover, snackbar, accordion, infinite scroll, nav bar, navigation bar,
            hamburger menu, context menu, color picker, file picker, datepicker, sass, scss, styled component, css
            module, flexbox, z index, media query, wcag, aria, alt text, focus trap, tab order, nuxt, remix, web
            component, shadow dom, jquery, material ui, mui, ant design, shadcn, ipad, iphone, small screen, narrow
            screen, touch screen, touch device, right to left, rtl, below the fold, above the fold, lightbox, swiftui,
            jetpack compose, flutter, react native, layout shift, pwa, cookie banner, profile page, checkout page, 404
            page, login form, login screen, sign up page, register page, keyboard focus, error boundary, user menu
        """,
        two="""
            responsive, accessibility, a11y, button, toast, stylesheet, spinner, mobile safari, screen, autocomplete,
            form field, form validation, layout, hover, avatar, checkbox, radio button, animation, admin dashboard,
            retina, viewport, breakpoint, carousel, tab bar, font, svg, favicon, localstorage, redux, class component,
            pagination control, breadcrumb, dialog, slider, badge, thumbnail, gallery, skeleton, scrollbar, scroll
            position, text wrap, click outside, clicking outside, double click, right click, swipe, drop target,
            keyboard shortcut, tab key, focus ring, input field, text field, textarea, search box, search bar, submit
            button, loading state, error state, loading indicator, selected tab, active tab, page reload, back button,
            client side, light mode, high contrast, color contrast, seo, meta tag, open graph, lighthouse, bundle size,
            code splitting, service worker, stepper, error page, home page, homepage, product page, admin page, search
            page, overview page, detail page, drag drop, drag, tooltip text, table column, font size, line height,
            padding, margin, rerender, state management, emoji picker, markdown preview, card, chip, zoom, full screen,
            fullscreen, vite, ios app, android app, mobile app, split view, rich text
        """,
        one="""
            page, form, component, menu, icon, field, mobile, dashboard, browser, label, search results, focus, color,
            theme, header, view, sticky, hook, placeholder, scroll, click, display, safari, chrome, pricing, inbox,
            calendar, contrast, settings, image, ui test, banner, overflow, overlap, truncated, ellipsis, misaligned,
            alignment, flicker, blurry, fade, transition, tap, tab, visible, desktop, collapsed, collapsible, collapse,
            wizard, onboarding, panel, toggle, after reload, buttons, confirm, lazy load, lazy loading, editor, language
            switcher, pixel, resize, selected, preview, styling, style, navigation, progress bar, highlight, shortcut,
            clicking, cut off, popup
        """,
        paths="""
            **/web/** **/frontend/** **/ui/** **/components/** **/*.tsx **/*.jsx **/*.vue **/*.svelte **/*.css **/*.html
            **/views/** **/pages/** **/styles/** **/*.scss
        """,
    ),
    "data-pipeline-engineer": Vocabulary(
        three="""
            data lake, delta lake, iceberg, etl, elt, airflow, spark, kafka, dbt, snowflake, dag, data pipeline,
            backfill, ingestion, cdc, flink, clickstream, parquet, bigquery, redshift, hudi, databricks, dagster,
            prefect, fivetran, airbyte, debezium, lakehouse, nifi, hadoop, hive, trino, presto, schema registry, schema
            evolution, schema drift, change data capture, event time, late data, exactly once, consumer group, dead
            letter topic, incremental load, incremental sync, incremental model, full refresh, slowly changing, load
            job, etl job, raw zone, late arriving, glue job, athena, apache beam
        """,
        two="""
            pipeline, streaming job, late events, watermark, warehouse, deduplicate, batch job, consumer lag,
            incremental, stream processing, avro, daily import, nightly import, nightly export, exporter job, importer,
            spark job, upsert, reprocess, orchestration of jobs, connector, sensor task, hourly aggregation, rollup,
            compaction, small files, partitioned, orc, malformed rows, malformed records, bad records, bad rows,
            duplicate rows, duplicate records, bulk load, batch load, data feed, source system, freshness, row count,
            skewed, materialized view, kinesis, pubsub, dead letter queue, dead letter, sync job, fact table, dimension
            table, upstream table, upstream file, downstream table, source table, target table, staging table, replay
            events, event stream, stream processor, consumer offset, load into
        """,
        one="""
            ingest, batch, partition, events table, sftp, vendor, every night, nightly, daily, hourly, streaming,
            record, transformation, event, idempotent, csv, import, export, schedule, late, raw, feed, dataset, lag,
            topic, upstream, downstream, aggregation, compact, ndjson, jsonl, malformed, quarantine, dedupe, duplicates,
            rerun, offset, replay, throughput, deserialize, messages, load, row, source, aggregate, sink
        """,
        paths="""
            **/pipelines/** **/dags/** **/etl/** **/dbt/** **/ingest/** **/connectors/**
        """,
    ),
    "aws-cloud-architect": Vocabulary(
        three="""
            ingress, aws, terraform, cloudformation, s3, ec2, ecs, eks, kubernetes, k8s, helm, dockerfile, docker, iam,
            cloudfront, vpc, rds, cdk, lambda function, lambda trigger, sqs, sns, dynamodb, pulumi, ansible, codedeploy,
            gcp, azure, blue green, nginx, github actions, argocd, argo cd, gitops, istio, linkerd, kubectl, daemonset,
            statefulset, configmap, nodeselector, toleration, chart values, values yaml, terragrunt, opentofu,
            cloudtrail, step functions, eventbridge, fargate, ecr, alb, nlb, heroku, vercel, netlify, digitalocean,
            packer, podman, containerd, buildkit, distroless, network policy, service mesh, deploy role, availability
            zone, eu west 1, us east 1, cross region, canary deployment, rolling update, nat gateway, private subnet,
            wildcard certificate, let s encrypt, cert manager, gitlab ci, jenkins, circleci, container registry,
            oomkilled, crashloopbackoff, readiness probe, startup probe, ephemeral storage, persistent volume, pvc, init
            container, cloud run, cloud formation, kustomize, node group, storage class, storageclass, docker layer
        """,
        two="""
            infrastructure, autoscaling, deploy, secrets manager, liveness probe, pod, load balancer, container,
            cluster, ci pipeline, ci runner, bucket, spot instance, docker compose, cloudwatch, staging environment, tls
            certificate, dns, remote state, cdn, route53, security group, bastion, node pool, memory limit, disaster
            recovery, hosting, cloudflare, envoy, vault, kms, waf, elb, least privilege, non root, rootless, service
            account, secret rotation, another region, cost center, resource tag, all resources, autoscaler, hpa, canary,
            zero downtime, grafana, alertmanager, datadog, vpn, peering, acme, build workflow, ci workflow, base image,
            evicted, cronjob, sidecar, bare metal, node selector, cloud provider, load balancing, machine image, ssh
            key, reverse proxy, virtual machine, vm, infra, object storage, dev container, devcontainer, helmfile, image
            tag, runner, workflow file, state file, aurora
        """,
        one="""
            deployment, staging, prod, production, lambda, replica, image, rollout, multi stage build, certificate,
            environment, instance, ci, secret, cloud, network, subnet, provision, failover, behind, alarm, disk,
            snapshot, backup, rollback, privilege, annotation, domain, storage, resource, role, release pipeline,
            volume, registry, cpu, quota, namespace, monitoring, alert, uptime, proxy, workflow
        """,
        paths="""
            **/terraform/** **/*.tf **/infra/** **/k8s/** **/helm/** **/Dockerfile **/docker-compose*.yml
            .github/workflows/** **/deploy/** **/charts/** **/*.tfvars **/ansible/** Jenkinsfile .gitlab-ci.yml
        """,
    ),
    "ml-systems-architect": Vocabulary(
        three="""
            learning rate, machine learning, ml, pytorch, tensorflow, scikit learn, sklearn, xgboost, mlflow, mlops,
            onnx, feature store, model drift, hyperparameter, prediction model, prediction system, train a model,
            training run, training script, churn prediction, neural, recommendation model, classifier, fine tuning a
            classifier, fraud model, ranking model, model serving, feature engineering, loss becomes nan, nan loss,
            label smoothing, all reduce, distributed training, data parallel, ddp, fsdp, deepspeed, mixed precision,
            bf16, fp16, int8, a100, h100, cuda, tensorrt, jax, keras, lightgbm, catboost, random forest, gradient
            boosting, resnet, yolo, object detection, image classification, named entity, speech recognition, lr
            schedule, weight decay, data leakage, label leakage, precision and recall, f1 score, class imbalance, data
            augmentation, retrain, retraining, model weights, pretrained, distillation, scoring model, forecasting
            model, recommender, collaborative filtering, wandb, tensorboard, kubeflow, sagemaker, vertex ai, model
            monitoring, batch inference, inference latency, train and validation, validation set, train set, deep
            learning, reinforcement learning, validation fold
        """,
        two="""
            training, inference, gpu, epoch, predict, prediction, batch size, model registry, dataloader, random seed,
            validation loss, cross validation, early stopping, quantize, quantization, loss function, checkpointing,
            overfitting, train test split, drift, anomaly detection, train the, gradient, confusion matrix,
            backpropagation, test set, checkpoint, imbalanced, oversampling, augmentation, quantized, feature
            importance, shap, model card, model version, triton, ner, batch norm, dropout, roc, auc, dataset split, spam
            detector, detector, trainer, evaluation metric, tensor, minibatch, predictor, time series model, multi gpu,
            warm start, sampler, embedding table, face recognition, ocr
        """,
        one="""
            recommendation, feature, fraud, ranking, seed, reproducible, accuracy, model, train, score, label,
            experiment, serve, online, loss, fold, eval, eval accuracy, weights, scoring, optimizer, evaluation,
            leakage, nan, validation, classify, labels, baseline, dtype
        """,
        paths="""
            **/ml/** **/training/** **/models/train* **/models/**/train* **/trainers/** **/checkpoints/**
        """,
    ),
    "data-science-analyst": Vocabulary(
        three="""
            confidence interval, p value, seasonality, box plot, statistical, statistics, cohort, jupyter, a b test,
            data analysis, data visualization, regression analysis, outlier, data quality validation, kaplan meier,
            survival curve, survival analysis, effect size, anova, t test, chi square, bayesian, difference in
            differences, power analysis, weekly active users, monthly active users, error bar, seaborn, matplotlib,
            plotly, ggplot, tableau, looker, power bi, metabase, by cohort, standard deviation, scatter plot, bar chart
        """,
        two="""
            median, analysis, analyze, analyse, plot, distribution, significant, forecast, histogram, correlation,
            visualization, pandas, conversion rate, hypothesis, retention by, funnel, survey, sample size, descriptive,
            time series, segmentation, percentile of, scatter, heat map, daily active users, churn rate, ltv, correlate,
            quantile, quartile, variance, heatmap, pie chart, line chart, chart of, trend of, trends in, breakdown by,
            broken down, how many, how long do, how often, which users, what drives, drivers of, ticket volume, by
            platform, by region, by week, by channel, first purchase, clustering, uplift, active users, user behavior,
            per country, what share, average number, mean and, year over year, month over month, word cloud, choropleth,
            which customers, usage statistics, correlates
        """,
        one="""
            chart, compare the, quarter, revenue, measurement, signup, by country, by month, metric, trend, per region,
            why did, average, churned, volume, curve, survival, per team, per user, do users, users take, conversion,
            usage, quarterly, percentage, over time, per week, insight
        """,
        paths="""
            **/notebooks/** **/*.ipynb **/analysis/** **/*.rmd
        """,
        five="""
            regression of, eda, exploratory analysis, notebook
        """,
    ),
    "data-architect-governance": Vocabulary(
        three="""
            data steward, data model, governance, gdpr, lineage, data dictionary, pii, data catalog, entity
            relationship, master data, retention period, retention policy, data ownership, personal data, data quality
            rule, canonical schema, anonymize, pseudonymize, right to erasure, data subject, dsar, ccpa, data
            protection, data classification, business glossary, data mesh, legal hold, data masking, health data,
            sensitive data, personally identifiable, single source of truth, golden record, mdm, canonical model, grain
            of, third normal form, ontology, data asset, dpia, pseudonymization, anonymization, data lineage
        """,
        two="""
            schema, taxonomy, data quality, er diagram, data contract, owner for, valid from, definitions of, consent,
            right to be forgotten, naming convention for columns, source of truth, data owner, hipaa, reference data,
            conceptual model, dimension model, star schema, data retention, audit trail, erasure, mask, masking, access
            policy, row level security, column level, naming convention, what counts as, who may, grain, surrogate key,
            natural key, denormalize, logical model, catalog entry, analytics schema, metadata, metadata catalog, data
            product, reference table, conformed, controlled vocabulary, code list, stewardship, tag columns, business
            term, business key, owner of every, lawful basis, normalize the
        """,
        one="""
            classify, column, catalog, compliance, owner, privacy, policy, domain, definition, dataset, unify, entity,
            retention, customer, sensitive, classification, canonical, vocabulary, may see, define, active customer,
            normalize, glossary
        """,
        paths="""
            **/schemas/** **/*.avsc **/governance/** **/catalog/**
        """,
    ),
    "project-delivery-manager": Vocabulary(
        three="""
            timeline, triage, milestone, deliverable, estimate the effort, project plan, gantt, kanban board, meta
            issue, umbrella issue, mvp, burndown, raci, go no go, release train, release schedule, feature freeze, code
            freeze, cut the scope, who does what, assign milestone, into subtasks, blocker, release blocker, launch
            plan, launch date, list risks, communication plan, t shirt size, story point, definition of ready, next
            sprint, project board, remaining work, work package
        """,
        two="""
            estimate, scope, prioritize, prioritise, groom, effort, okr, epic, retrospective, next release, go live, can
            ship, into stories, into tasks, work breakdown, dependency map, kickoff, definition of done, launch, out of
            scope, assign owners, what is left, for the launch, risks of, resourcing, velocity, next quarter, stale
            issue, sub issue, follow up issue, post mortem, kick off, blocks the release, that blocks, status report,
            steering, meeting notes, open questions, schedule for the, phase two, priorities, break down, breakdown of,
            due date
        """,
        one="""
            release, planning, issue, deadline, checklist, risk, beta, ship, delivery, story, break, blocks, ticket,
            owners, rollout, budget, break the, stakeholders, priority
        """,
        paths="""
            **/roadmap* **/planning/**
        """,
        five="""
            roadmap, sprint, backlog, release plan, release checklist, rollout plan, risk register, stakeholder, status
            update, tracking issue, into tickets
        """,
    ),
    "llm-architect": Vocabulary(
        three="""
            context window, tool call, function calling, llm, rag, chatbot, gpt, system prompt, prompt injection, prompt
            template, retrieval augmented, fine tune, fine tuning, langchain, openai, anthropic, hallucinate,
            hallucination, token cost, prompt variant, vector store, agentic, claude assistant, tool use, system
            message, context length, tool calling, llm judge, as a judge, retriever, vector database, vector search,
            pgvector, pinecone, qdrant, weaviate, faiss, llamaindex, langgraph, litellm, vllm, sentence transformers,
            semantic search, conversation memory, chat completion, copilot, model provider, zero shot, reasoning model,
            token limit, max tokens, token budget, multi turn, red team, evals, golden answer, chunking, document
            loader, agent loop, multi agent, mcp server, prompt caching, hallucinated, generative ai, genai, ai
            assistant, ai agent, rerank
        """,
        two="""
            chunk, prompts, embedding, golden set, assistant, summarizer, retrieval, support bot, few shot, knowledge
            base, structured output, mcp, chunk documents, guardrail, jailbreak, reranker, gemini, mistral, llama,
            ollama, chain of thought, intent classification, language model, chat history, hybrid search, token usage,
            tokens per, citations, grounding, refusal, summarization, hugging face, huggingface, prompt of the, prompt
            for the, the prompt, embeddings, answers from, ask the model, model answers, streamed answer, streaming
            response, the assistant, bedrock, azure openai, transcript, stop sequence
        """,
        one="""
            prompt, token, claude, bot, multilingual, evaluate, model, agent, intent, answer, conversation, refuse,
            completion, summarize, streaming, provider, citation, retrieved, json mode, chat, reply
        """,
        paths="""
            **/prompts/** **/evals/** **/llm/** **/agents/** **/rag/**
        """,
    ),
    "specifications-engineer": Vocabulary(
        three="""
            handbook, documentation, tutorial, specification, acceptance criteria, openapi spec, requirements for, build
            guide, how to guide, runbook, getting started, api reference, docs, quick start, installation guide,
            installation instructions, troubleshooting page, troubleshooting guide, code of conduct, api docs, doc
            comments, javadoc, rustdoc, sphinx, mkdocs, docusaurus, explain the difference, undocumented, wiki page,
            architecture diagram, spec for, protocol spec, design doc, design document, decision record, onboarding
            guide, howto, in the manual, file format of
        """,
        two="""
            explain, requirement, spec, guideline, glossary, man page, manual, code comment, faq, contributing guide,
            broken link, mermaid diagram, sequence diagram, describe the, explain how, explain the, help text, proposal,
            cookbook, contributing, document that, document which, document why, documented, in the reference, reference
            for, the wiki, diagram, specify the, use case, code example, code sample, walkthrough, troubleshooting,
            example in the, examples in the, outdated instructions, setup instructions, install instructions, style
            guide, write up, man pages, explain to, to new developers, for newcomers, for contributors, missing from the
            reference
        """,
        one="""
            guide, document, describe, reference, clarify, wiki, instructions, how to, screenshots, format of, specify,
            file format, typos, newcomers, installation, examples, outdated
        """,
        paths="""
            docs/** **/*.md **/*.rst **/*.adoc **/*.mdx
        """,
        five="""
            document the, write docs, user story, readme, rfc, adr, changelog, docstring, user guide, release notes,
            document all, document every, quickstart, migration guide, upgrade guide, document how, docs for, docs
            about, docs on, docs changes, add docs, added docs, update docs, improve docs, documentation for,
            documentation of, update documentation, add note, write documentation, add documentation, improve
            documentation, api documentation
        """,
    ),
}
