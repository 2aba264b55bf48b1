# One image per service: docker build --target api | worker | collector | load .
#
# Every package is checked against the hashes in requirements/. Where packages come from another index or through a private
# certificate, hand pip's own configuration to the build; no layer keeps it: --secret id=pip,src=$PIP_CONFIG_FILE

FROM python:3.13-slim-trixie AS base
# A passwd entry, because libraries ask for the name and the home of whoever runs them; Kubernetes wants the number.
RUN useradd --uid 10001 --user-group --home-dir /app --no-create-home --shell /usr/sbin/nologin millpond
# An environment of our own: the base image's packages stay its own, and `RUN pip install ...` in an image FROM ours lands here.
RUN python -m venv /opt/millpond
ENV PATH=/opt/millpond/bin:$PATH
# The root is read-only when it runs: nothing is compiled or cached then, /tmp is the only place to write.
ENV PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONFAULTHANDLER=1 HOME=/tmp
WORKDIR /app
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Millpond" \
      org.opencontainers.image.description="Takes jobs in over HTTP at once, runs them behind, records every outcome exactly once" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"


FROM base AS wheel
WORKDIR /src
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements/build.txt,target=build.txt \
    pip install --require-hashes -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY millpond millpond
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheel .


FROM base AS api
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements/api.txt,target=requirements.txt \
    pip install --require-hashes -r requirements.txt
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-index --no-deps --no-cache-dir /wheel/*.whl
COPY api api
RUN python -m compileall -q api
USER 10001:10001
EXPOSE 8888
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "millpond.health", "http://127.0.0.1:8888/readyz"]
CMD ["python", "-m", "gunicorn", "-c", "api/gunicorn.conf.py", "api.wsgi:app"]


FROM base AS worker
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements/worker.txt,target=requirements.txt \
    pip install --require-hashes -r requirements.txt
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-index --no-deps --no-cache-dir /wheel/*.whl
# Users' modules live in /tasks: mounted there, or copied there in an image FROM millpond-worker, and named in MILLPOND_TASKS.
COPY examples /tasks/examples
COPY worker worker
RUN python -m compileall -q worker /tasks
USER 10001:10001
ENV MILLPOND_HEALTH_FILE=/tmp/health MILLPOND_METRICS_PORT=8889
EXPOSE 8889
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "millpond.health", "/tmp/health", "15"]
CMD ["python", "-m", "worker"]


FROM base AS collector
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements/collector.txt,target=requirements.txt \
    pip install --require-hashes -r requirements.txt
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-index --no-deps --no-cache-dir /wheel/*.whl
COPY collector collector
RUN python -m compileall -q collector
USER 10001:10001
ENV MILLPOND_HEALTH_FILE=/tmp/health MILLPOND_METRICS_PORT=8889
EXPOSE 8889
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "millpond.health", "/tmp/health", "15"]
CMD ["python", "-m", "collector"]


# Locust, which calls the others: its users, and a health check that imports nothing else of ours.
FROM base AS load
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements/load.txt,target=requirements.txt \
    pip install --require-hashes -r requirements.txt
COPY millpond/health.py millpond/
COPY loadtest/locustfile.py ./
RUN python -m compileall -q millpond
USER 10001:10001
EXPOSE 8089
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "millpond.health", "http://127.0.0.1:8089/"]
# Users that are told to stop end their call first, 8 s of it unless the form says more: what was accepted was counted, too.
CMD ["python", "-m", "locust", "--class-picker", "--stop-timeout", "20"]
