# One image for every app of the system; the command chooses:
#
#   docker run … node apps/router/dist/main.js        (the default)
#   docker run … node apps/store-writer/dist/main.js
#   docker run … openclaw gateway setup-bus
#
# Runs as the user node (uid 1000), with a read-only root: only a store-writer writes, below /state.
# Builds with docker-compose or: docker build --network=host -t openclaw-sessions .

# The base of every stage: Debian with Node 20. Where the packages' binaries cannot be downloaded, it
# needs Node's headers below /usr/local/include/node; the official image has them.
ARG NODE_IMAGE=node:20-bookworm-slim

# The manifests alone: as long as they are the same, the layers that install packages are reused.
FROM ${NODE_IMAGE} AS manifests
WORKDIR /app
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete

FROM ${NODE_IMAGE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=manifests /app ./
# better-sqlite3 is compiled where no binary can be downloaded: with the headers that the image has,
# else with those that npm fetches.
RUN --mount=type=cache,target=/root/.npm \
    if [ -e /usr/local/include/node/node.h ]; then export npm_config_nodedir=/usr/local; fi; npm ci
COPY . .
# Nothing of an earlier build's .nx is kept: it names builds under way by their process ids, which come
# again in every container, and takes one that was cut off for an invocation around its own.
RUN NX_DAEMON=false npx nx run-many -t build -p cli,router-app,store-writer-app,maintenance-scheduler-app,compaction-worker-app,agent-runner-app

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY --from=manifests /app ./
# No scripts run here: the one binary that a script would compile comes from the stage above. The
# libraries are inside the bundles, and what SQLite is compiled from is not needed to run it.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts \
 && rm -rf node_modules/@sessions node_modules/better-sqlite3/deps node_modules/better-sqlite3/src
COPY --from=build /app/node_modules/better-sqlite3/build/Release/better_sqlite3.node node_modules/better-sqlite3/build/Release/

FROM ${NODE_IMAGE}
# The C library would keep eight arenas a core, and what a service took to load itself: two are enough
# for threads that mostly wait for a disk, and fixed thresholds give freed memory back (6 MiB a service).
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=2 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    OPENCLAW_HOME=/state \
    OPENCLAW_STATE_DIR=/state \
    OPENCLAW_CONFIG_PATH=/config/openclaw.json \
    SESS_LISTEN_HOST=lan \
    SESS_PROBE_PORT=9090
WORKDIR /app
RUN mkdir -p /state /config && chown node:node /state && ln -s /app/tools/openclaw.cjs /usr/local/bin/openclaw
COPY --from=packages /app/node_modules ./node_modules
COPY proto ./proto
COPY tools/openclaw.cjs ./tools/
COPY --from=build /app/apps/cli/dist ./apps/cli/dist
COPY --from=build /app/apps/router/dist/main.js ./apps/router/dist/
COPY --from=build /app/apps/store-writer/dist/main.js /app/apps/store-writer/dist/index-worker.js /app/apps/store-writer/dist/value-parser.js ./apps/store-writer/dist/
COPY --from=build /app/apps/maintenance-scheduler/dist/main.js ./apps/maintenance-scheduler/dist/
COPY --from=build /app/apps/compaction-worker/dist/main.js ./apps/compaction-worker/dist/
COPY --from=build /app/apps/agent-runner/dist/main.js ./apps/agent-runner/dist/
USER node
EXPOSE 18789 9090
# By the shell, which is there in a few milliseconds: a Node for each look is a tenth of a machine with all apps on it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$SESS_PROBE_PORT && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
CMD ["node", "apps/router/dist/main.js"]
