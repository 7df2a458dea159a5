# Streamproof with Airflow, as docker-compose.yaml runs it: the lock by hash, nothing as root.
FROM python:3.11-slim-bookworm

RUN useradd --uid 50000 --gid 0 --create-home --home-dir /opt/airflow airflow \
 && install --directory --owner=50000 --group=0 /opt/streamproof /opt/airflow/logs /opt/airflow/auth /data

USER airflow
ENV PATH=/opt/airflow/.venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    PYTHONPATH=/opt/streamproof \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# Before the code, so that a change of it does not install everything anew. pip compiles bytecode.
WORKDIR /opt/streamproof
COPY --chown=airflow:root requirements.txt docker/postgres.txt ./
RUN python -m venv /opt/airflow/.venv \
 && pip install --require-hashes --no-deps -r requirements.txt -r postgres.txt

COPY --chown=airflow:root pyproject.toml README.md ./
COPY --chown=airflow:root cluster cluster
COPY --chown=airflow:root schemas schemas
COPY --chown=airflow:root producer producer
COPY --chown=airflow:root consumer consumer
COPY --chown=airflow:root stack stack
COPY --chown=airflow:root streamproof streamproof
COPY --chown=airflow:root plugins plugins
COPY --chown=airflow:root dags dags
COPY --chown=airflow:root profiles profiles
RUN pip install --no-deps --no-build-isolation --editable .

CMD ["airflow", "version"]
