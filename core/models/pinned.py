"""Which commit of a model on the Hub a run takes: found when it begins, written down, and the same ever after."""

from __future__ import annotations

from core.config import RunConfig
from core.models.hub import commit_of
from core.models.tokenizer import FIELD, looks_like_id
from core.paths import resolve
from core.runs.files import write_json
from core.runs.store import Run


def pin(run: Run) -> RunConfig:
    """The config of a run, with the commit that its model's revision means in the place of that revision.

    The first call asks the Hub and writes the commit into environment.json ("model": path, revision, commit); later
    ones, such as a resume, find it there. A model in a folder has none.

    Raises:
        InputError: field "model.path" or "model.revision": there is no such model, or the Hub refuses it.
    """
    config = run.config()
    path, revision = config.model.path, config.model.revision
    if resolve(path).exists() or not looks_like_id(path):
        return config
    environment = run.environment()
    if (environment.get("model") or {}).get("path") != path:
        commit = commit_of("model", path, FIELD, revision)
        write_json(
            run.dir / "environment.json",
            environment | {"model": {"path": path, "revision": revision, "commit": commit}},
        )
    return run.pinned()
