# The operator, the comparator and the isolation probe: one image, three subcommands.
#
# Both stages start from the same base. Any image with Python 3.11 and ca-certificates does, so that
# it also builds where no container registry can be reached (`make load` and dev/cluster do that).
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
RUN python3 -c 'import ensurepip, venv' 2>/dev/null \
    || { apt-get update -q && apt-get install -qy --no-install-recommends python3-venv; }
WORKDIR /src
COPY requirements-image.lock requirements-build.lock ./
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --quiet --no-cache-dir --no-compile --require-hashes \
        --requirement requirements-image.lock \
    && python3 -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --no-cache-dir --no-compile --require-hashes \
        --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# The container's file system is read-only: what Python would cache at run time is compiled here.
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/venv/bin/pip install --quiet --no-cache-dir --no-compile --no-deps --no-index /dist/*.whl \
    && /opt/venv/bin/pip uninstall --quiet --yes pip setuptools \
    && find /opt/venv/lib -depth \( -name tests -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' \
        -o -name '*.h' -o -name '*.pyi' -o -name '*.ttf' \) -exec rm -rf {} + \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode checked-hash /opt/venv/lib \
    && echo "installed: $(du -sm /opt/venv | cut -f1) MB on top of the base"

FROM ${BASE_IMAGE}
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["shadow-operator"]
