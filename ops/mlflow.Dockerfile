# The MLflow server of profile `registry`, for `make track`.

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS packages
COPY ops/requirements-mlflow.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --disable-pip-version-check --progress-bar off --only-binary :all: \
        --no-deps --require-hashes -r /build/requirements-mlflow.lock

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mnist && install -d -m 0700 -o mnist -g mnist /mlflow
COPY --from=packages /opt/venv /opt/venv
WORKDIR /mlflow
ENV HOME=/tmp PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER mnist
# SQLite is enough for a few hundred runs with one writer. The volume then contains all data, and the drawings' database
# has one client fewer.
CMD ["mlflow", "server", "--host=0.0.0.0", "--port=5000", "--workers=1", \
     "--backend-store-uri=sqlite:////mlflow/mlflow.db", "--artifacts-destination=/mlflow/artifacts"]
