# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /opt/bridge
COPY requirements.txt ./
RUN /opt/bridge/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml requirements.in README.md LICENSE ./
COPY bridge bridge
RUN /opt/bridge/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
COPY --from=build /opt/bridge /opt/bridge
COPY mappings /mappings
# Where SQLite's file lives, unless DATABASE_URL names a PostgreSQL.
RUN install -d -o 10001 -g 10001 /data
ENV PATH=/opt/bridge/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BRIDGE_HOST=0.0.0.0 \
    BRIDGE_MAPPINGS=/mappings \
    DATABASE_URL=sqlite:////data/bridge.db \
    BRIDGE_LOG_FORMAT=json
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["metronome-bridge"]
CMD ["serve", "--upgrade"]
