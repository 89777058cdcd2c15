# `make track`: sends runs, versions and aliases to an MLflow server. MLflow's client has many dependencies, so it has a
# separate image and a container without passwords.

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS packages
COPY ops/requirements-tracking.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --disable-pip-version-check --progress-bar off --only-binary :all: \
        --no-deps --require-hashes -r /build/requirements-tracking.lock

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mnist && install -d -o mnist -g mnist /state /models /app/runs
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY settings.py ./
COPY ops ops
ENV RUNS_IN=containers STATE_DIR=/state MODEL_STORE=/models HOME=/tmp \
    PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER mnist
CMD ["python", "-m", "ops.integrations.tracking"]
