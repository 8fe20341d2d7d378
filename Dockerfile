# Tunesmith in a container: the README's two steps, pip install -r requirements.txt and python app.py, as an ordinary user.
#
#   docker build -t tunesmith .
#   docker run --init --rm -p 7860:7860 -v tunesmith-runs:/home/user/runs tunesmith
#
# It answers on localhost and by address; under a name, if TUNESMITH_HOSTS has it: -e TUNESMITH_HOSTS=lab.example.org
#
# It runs on the CPU wherever it is started; with `docker run --gpus all` and a CUDA build of torch it finds the GPU. Which
# build pip takes is up to PIP_ARGS, such as --build-arg PIP_ARGS="--extra-index-url URL" with the URL that PyTorch's
# install page gives for cpu (a tenth of the size) or for your CUDA. Without it pip takes what its own index holds.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

# 1000 is the user that Hugging Face Spaces run a container as.
RUN useradd --create-home --uid 1000 user \
    && install --directory --owner=user /home/user/app /home/user/runs /home/user/.cache/huggingface
USER user
WORKDIR /home/user/app
ENV PATH=/home/user/.local/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    DO_NOT_TRACK=1 \
    USE_HUB_KERNELS=NO \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    HF_HOME=/home/user/.cache/huggingface \
    TUNESMITH_RUNS=/home/user/runs

# First what changes seldom, so that a change of the code does not install everything anew.
ARG PIP_ARGS=""
COPY --chown=user requirements.txt .
RUN pip install --user --no-cache-dir --disable-pip-version-check ${PIP_ARGS} -r requirements.txt
COPY --chown=user . .

EXPOSE 7860
VOLUME /home/user/runs
# As process 1 Python hears Ctrl-C's signal, and not SIGTERM.
STOPSIGNAL SIGINT
HEALTHCHECK --start-period=60s --interval=30s --timeout=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/', timeout=9)"]
CMD ["python", "app.py"]
